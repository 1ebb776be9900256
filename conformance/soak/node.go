package soak

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Node is a running child process. It ends when its standard input does.
type Node struct {
	Addr  string
	admin string // URL
	cmd   *exec.Cmd
	stdin io.Closer
}

// Start runs binary with a folder of its own and waits until it serves.
func Start(binary, dir string, stderr *os.File) (*Node, error) {
	n := &Node{cmd: exec.Command(binary, "start", "-o", "json", "--with-parent", "--data", dir,
		"--listen", "127.0.0.1:0", "--override", "odradek.admin.listener=127.0.0.1:0",
		"--override", "group.initial.rebalance.delay.ms=0", "--override", "log.segment.delete.delay.ms=0")}
	n.cmd.Stderr = stderr
	n.cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	stdin, err := n.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	n.stdin = stdin
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("the node ended before it was ready: %w", err)
	}
	var w struct {
		Kafka []string
		Admin string
	}
	if err := json.Unmarshal(line, &w); err != nil || len(w.Kafka) == 0 {
		return nil, fmt.Errorf("the node printed %q: %w", line, err)
	}
	n.Addr, n.admin = w.Kafka[0], w.Admin
	return n, nil
}

// Stop ends the node and waits for it.
func (n *Node) Stop() error {
	n.stdin.Close()
	return n.cmd.Wait()
}

// Gauges are what a leak would show in.
type Gauges struct{ Goroutines, Files, HeapBytes int }

func (g Gauges) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %.1f MiB of heap", g.Goroutines, g.Files, float64(g.HeapBytes)/(1<<20))
}

// Gauges collects garbage and reads them.
func (n *Node) Gauges(ctx context.Context) (g Gauges, err error) {
	for range 2 { // what finalizers and pools keep goes with the second collection
		if _, err := n.get(ctx, "/debug/pprof/heap?gc=1"); err != nil {
			return g, err
		}
	}
	text, err := n.get(ctx, "/metrics")
	for _, m := range []struct {
		name string
		to   *int
	}{{"go_goroutines", &g.Goroutines}, {"process_open_fds", &g.Files}, {"go_memstats_heap_alloc_bytes", &g.HeapBytes}} {
		_, rest, ok := strings.Cut(text, "\n"+m.name+" ")
		value, _, _ := strings.Cut(rest, "\n")
		f, ferr := strconv.ParseFloat(value, 64)
		if err == nil && (!ok || ferr != nil) {
			err = fmt.Errorf("/metrics has no %s: %q", m.name, value)
		}
		*m.to = int(f)
	}
	return g, err
}

func (n *Node) get(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.admin+path, nil)
	if err != nil {
		return "", err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, resp.Status)
	}
	return string(body), err
}
