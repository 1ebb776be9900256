package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Welcome is the line that a node writes when it serves clients.
type Welcome struct {
	PID         int   `json:"pid"`
	ReadyMillis int64 `json:"readyMillis"`
}

// glance is how long one waits before one looks again.
const glance = 5 * time.Millisecond

// errNotReady is a node that lives and does not serve yet when the caller's time ends.
var errNotReady = errors.New("it does not serve clients yet")

// spawn starts a node's process, in a session of its own, so that neither Ctrl-C nor the
// end of the terminal reaches it. wait returns when it serves clients or has ended.
func (c *Cluster) spawn(n *Node) (wait func(context.Context) error, err error) {
	// A file, not a pipe: the node must be able to write to it when nobody reads any more.
	out, err := os.Create(c.welcomeFile(*n))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	log, err := os.OpenFile(c.LogFile(*n), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	began, err := log.Seek(0, 2)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(c.Program[0], append(c.Program[1:len(c.Program):len(c.Program)], c.SettingsFile(*n))...)
	cmd.Args[0] = "odradek"
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.Dir, c.Environ, out, log
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	n.PID = cmd.Process.Pid
	if n.Born, err = born(n.PID); err != nil {
		_ = cmd.Process.Kill()
		return nil, fmt.Errorf("its process cannot be told from others: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	node := *n
	return func(ctx context.Context) error { return c.awaitWelcome(ctx, node, ended, began) }, nil
}

func (c *Cluster) awaitWelcome(ctx context.Context, n Node, ended <-chan error, began int64) error {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		if _, err := c.Welcome(n); err == nil {
			return nil
		}
		select {
		case err := <-ended:
			if port := c.portsFree(context.WithoutCancel(ctx), n); port != nil {
				return port
			}
			if err == nil {
				err = errors.New("it stopped")
			}
			return fmt.Errorf("node %d ended before it served clients: %w: %s", n.ID, err, c.lastWords(n, began))
		case <-ctx.Done():
			return fmt.Errorf("node %d (pid %d): %w: %w; its log is %s", n.ID, n.PID, errNotReady, context.Cause(ctx), c.LogFile(n))
		case <-tick.C:
		}
	}
}

// Welcome is what a node said when it was ready, an error if it has not yet.
func (c *Cluster) Welcome(n Node) (w Welcome, err error) {
	f, err := os.Open(c.welcomeFile(n))
	if err != nil {
		return w, err
	}
	defer f.Close()
	return w, json.NewDecoder(f).Decode(&w)
}

// lastWords is the end of a node's log since an offset.
func (c *Cluster) lastWords(n Node, began int64) string {
	text, err := os.ReadFile(c.LogFile(n))
	if err != nil {
		return err.Error()
	}
	text = text[min(began, int64(len(text))):]
	if i := bytes.LastIndex(text, []byte("\nerror: ")); i >= 0 {
		text = text[i+len("\nerror: "):] // what the node itself says of its end
	}
	said := strings.TrimSpace(string(text[max(0, len(text)-2000):]))
	if said == "" {
		return "it said nothing"
	}
	return said
}

// Alive reports whether the node's own process runs.
func (n Node) Alive() bool {
	if n.PID <= 0 || n.Born == "" {
		return false
	}
	b, err := born(n.PID)
	return err == nil && b == n.Born
}

// Memory is how many bytes of memory the node's process has, -1 if that is not known.
func (n Node) Memory() int64 {
	if !n.Alive() {
		return -1
	}
	return memory(n.PID)
}

// killPatience is how long a process that was killed may take to go.
const killPatience = 10 * time.Second

// stop ends the process: it is asked to, and killed after patience.
func (n Node) stop(patience time.Duration) (killed bool, err error) {
	p, err := os.FindProcess(n.PID)
	if err != nil {
		return false, err
	}
	defer p.Release() //nolint:errcheck // nothing is lost if it fails
	if !n.Alive() {   // again: FindProcess holds on to the process that we know, if it is that
		return false, nil
	}
	if err := terminate(p); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, err
	}
	if n.gone(patience) {
		return false, nil
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, err
	}
	if !n.gone(killPatience) {
		return true, fmt.Errorf("it still runs %v after it was killed", killPatience)
	}
	return true, nil
}

// gone waits until the process has ended, at most for patience.
func (n Node) gone(patience time.Duration) bool {
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for n.Alive() {
		select {
		case <-late.C:
			return !n.Alive()
		case <-tick.C:
		}
	}
	return true
}
