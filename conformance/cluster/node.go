package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Node is one process of a cluster, with a folder and addresses of its own that it keeps
// through all its lives.
type Node struct {
	ID         int32
	Dir, Data  string
	Properties string
	Output     string // the file that holds what every life printed
	Addr       string // the plain listener
	Controller string
	Flaky      string // a plain listener that tells clients to come to Proxy
	Proxy      string // where nobody listens, unless somebody starts a proxy to Flaky

	program Program
	starter *starter
	exec    []string

	cmd   *exec.Cmd
	stdin io.Closer
	gone  chan struct{} // closed when the process has ended, with exit
	exit  error
}

// Launch starts the process and does not wait until it is ready.
func (n *Node) Launch() error {
	if n.Running() {
		return fmt.Errorf("node %d runs", n.ID)
	}
	out, err := os.OpenFile(n.Output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	argv := append(append([]string{}, n.exec...), n.program.argv(n)...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = foreign(os.Environ())
	cmd.Stdout, cmd.Stderr = out, out
	if n.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	if err := n.starter.start(cmd); err != nil {
		return fmt.Errorf("start node %d: %w", n.ID, err)
	}
	n.cmd, n.gone = cmd, make(chan struct{})
	go func(gone chan struct{}) {
		n.exit = cmd.Wait()
		close(gone)
	}(n.gone)
	return nil
}

// foreign drops what would configure a node.
func foreign(environ []string) (kept []string) {
	for _, kv := range environ {
		if !strings.HasPrefix(kv, "KAFKA_") && !strings.HasPrefix(kv, "ODRADEK_") {
			kept = append(kept, kv)
		}
	}
	return kept
}

// Running tells whether the process is there, paused or not.
func (n *Node) Running() bool {
	if n.gone == nil {
		return false
	}
	select {
	case <-n.gone:
		return false
	default:
		return true
	}
}

// PID is the id of the process that Launch started last.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Await waits until the node answers clients.
func (n *Node) Await(ctx context.Context) error {
	for !answers(n.Addr) {
		select {
		case <-n.gone:
			return fmt.Errorf("node %d ended: %v\n%s", n.ID, n.exit, n.LastWords(20))
		case <-ctx.Done():
			return fmt.Errorf("node %d is not ready: %w", n.ID, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Start launches the node and waits until it answers.
func (n *Node) Start(ctx context.Context) error {
	if err := n.Launch(); err != nil {
		return err
	}
	return n.Await(ctx)
}

// Kill is kill -9. It returns when the process is gone; one that was gone before is an
// error.
func (n *Node) Kill() error {
	if !n.Running() {
		return fmt.Errorf("node %d ended by itself: %v\n%s", n.ID, n.exit, n.LastWords(40))
	}
	if err := n.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-n.gone
	n.stdin.Close()
	return nil
}

// Doom is kill -9 that does not wait. From when it returns, the process says no more to
// anybody: Linux stops all of its threads at once, but for what they have asked of the
// system. End waits until it is gone.
func (n *Node) Doom() {
	if n.Running() {
		_ = n.cmd.Process.Kill() // it may have ended just now
	}
}

// End is kill -9 of a process that may have ended already.
func (n *Node) End() {
	if n.Running() {
		_ = n.Kill()
	}
}

// Pause makes the process stand still (SIGSTOP) until Resume.
func (n *Node) Pause() error { return pause(n.cmd.Process) }

// Resume lets a paused process go on (SIGCONT).
func (n *Node) Resume() error { return resume(n.cmd.Process) }

// Stop ends the node in good order: SIGTERM, and SIGKILL when ctx ends before it does.
func (n *Node) Stop(ctx context.Context) error {
	if !n.Running() {
		return nil
	}
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-n.gone:
		n.stdin.Close()
		return nil
	case <-ctx.Done():
		_ = n.Kill()
		return fmt.Errorf("node %d does not stop: %w\n%s", n.ID, context.Cause(ctx), n.LastWords(40))
	}
}

// Memory is the resident set in bytes, or 0 where the system does not tell.
func (n *Node) Memory() int64 {
	if !n.Running() {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// CPU is the processor time that the process has used, or 0 where the system does not tell.
func (n *Node) CPU() time.Duration {
	if !n.Running() {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// After the name, in brackets: the state, ten fields, and then the ticks of the program
	// and of the system for it, of which Linux tells 100 a second.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// Files is how many files the process has open, or 0 where the system does not tell.
func (n *Node) Files() int {
	if !n.Running() {
		return 0
	}
	list, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.cmd.Process.Pid))
	return len(list)
}

// LastWords is the end of what the node printed.
func (n *Node) LastWords(lines int) string {
	text, err := os.ReadFile(n.Output)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// answers tells whether a node answers ApiVersions.
func answers(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	// ApiVersions version 0, correlation 1, no client id
	if _, err := c.Write([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255}); err != nil {
		return false
	}
	var head [8]byte
	_, err = io.ReadFull(c, head[:])
	return err == nil && bytes.Equal(head[4:], []byte{0, 0, 0, 1})
}
