package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// childNode is a throw-away node in a process of its own, of the same program.
type childNode struct {
	welcome
	cmd   *exec.Cmd
	stdin io.Closer // the node stops when it is closed, also if this process dies
	log   string    // file of what it said
}

// startChild starts a node on a folder and returns when it serves clients.
func (a *App) startChild(ctx context.Context, dir, listen string, overrides ...string) (*childNode, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"start", "--with-parent", "-o", "json", "--data", filepath.Join(dir, "data"), "--listen", listen}
	for _, o := range append(overrides, "odradek.admin.listener=") {
		args = append(args, "--override", o)
	}
	n := &childNode{log: filepath.Join(dir, "node.log")}
	n.cmd = exec.CommandContext(ctx, exe, args...)
	n.cmd.Args[0] = "odradek"
	n.cmd.Env = plainEnviron(a.Environ)
	if err := n.start(); err != nil {
		return nil, fmt.Errorf("start a node: %w", err)
	}
	return n, nil
}

func (n *childNode) start() error {
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	n.cmd.Stderr = log
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	if err := json.NewDecoder(stdout).Decode(&n.welcome); err != nil {
		n.kill()
		return fmt.Errorf("it ended before it was ready: %s", n.lastWords())
	}
	return nil
}

func (n *childNode) lastWords() string {
	text, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-2000):]))
}

// kill ends the node as kill -9 does.
func (n *childNode) kill() {
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait() // reports that it was killed
	n.stdin.Close()
}

// stop lets the node stop in order.
func (n *childNode) stop() error {
	n.stdin.Close()
	patience := time.AfterFunc(20*time.Second, func() { _ = n.cmd.Process.Kill() })
	defer patience.Stop()
	if err := n.cmd.Wait(); err != nil {
		return fmt.Errorf("the node did not stop in order: %w: %s", err, n.lastWords())
	}
	return nil
}

// plainEnviron leaves out what could be settings of a node.
func plainEnviron(environ []string) []string {
	keep := []string{"PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SystemRoot", "LOCALAPPDATA", "GOCOVERDIR", "GODEBUG", "GOMAXPROCS", "GORACE"}
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return !slices.Contains(keep, name)
	})
}

// quietAddress is a free address of this machine on which a node can be started again:
// its port is none that the system gives to outgoing connections, so nothing else takes
// it while the node is down, not even a client that tries to connect to it.
func quietAddress(ctx context.Context) (string, error) {
	addrs, err := quietAddresses(ctx, 1)
	if err != nil {
		return "", err
	}
	return addrs[0], nil
}

// quietAddresses are n of those, no two the same. Until a node listens there, another
// program can still take one.
func quietAddresses(ctx context.Context, n int) ([]string, error) {
	var addrs []string
	for range 100 + n {
		if len(addrs) == n {
			break
		}
		addr := net.JoinHostPort("localhost", strconv.Itoa(20_000+rand.IntN(10_000)))
		if ln, err := listenTCP(ctx, addr); err == nil {
			defer ln.Close() // when all are drawn: none is drawn twice
			addrs = append(addrs, addr)
		}
	}
	if len(addrs) < n {
		return nil, errors.New("no free port was found between 20000 and 30000")
	}
	return addrs, nil
}
