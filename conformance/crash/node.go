package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Node is an odradek process with a folder and an address of its own. One goroutine at a
// time may use it.
type Node struct {
	Binary, Dir, Addr string
	Stderr            *os.File // gets the log of every life

	cmd   *exec.Cmd
	stdin io.Closer // its end ends the child, so that none outlives the test
	ready chan error
	gone  chan struct{} // closed when the process has ended, with exit
	exit  error
}

// Launch starts the process and does not wait until it is ready.
func (n *Node) Launch() error {
	n.cmd = exec.Command(n.Binary, "start", "-o", "json", "--with-parent", "--data", n.Dir, "--listen", n.Addr,
		"--override", "odradek.admin.listener=localhost:0",
		"--override", "group.initial.rebalance.delay.ms=0") // lives are too short for three seconds
	n.cmd.Env = foreign(os.Environ())
	n.cmd.Stderr = n.Stderr
	stdin, err := n.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	n.stdin, n.ready, n.gone = stdin, make(chan error, 1), make(chan struct{})
	go func(ready chan<- error) { ready <- welcome(stdout) }(n.ready)
	go func() {
		n.exit = n.cmd.Wait()
		close(n.gone)
	}()
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

// welcome waits for the line that a node prints when it serves clients.
func welcome(stdout io.Reader) error {
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the node ended before it was ready: %w", err)
	}
	var w struct{ Kafka []string }
	if err := json.Unmarshal(line, &w); err != nil {
		return fmt.Errorf("the node printed %q: %w", line, err)
	}
	return nil
}

// Await waits until the node serves clients.
func (n *Node) Await(ctx context.Context) error {
	select {
	case err := <-n.ready:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the node is not ready: %w", context.Cause(ctx))
	}
}

// Start launches the node and waits until it serves; it returns how long that took.
func (n *Node) Start(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	if err := n.Launch(); err != nil {
		return 0, err
	}
	err := n.Await(ctx)
	return time.Since(began), err
}

// Gone is closed when the process has ended, whoever ended it.
func (n *Node) Gone() <-chan struct{} { return n.gone }

// Kill is kill -9. It returns when the process is gone; a process that was gone before
// is an error.
func (n *Node) Kill() error {
	select {
	case <-n.gone:
		return fmt.Errorf("the node ended by itself: %v", n.exit)
	default:
	}
	return n.End()
}

// Doom is kill -9 that does not wait. From when it returns, the process says no more to
// anybody.
func (n *Node) Doom() { _ = n.cmd.Process.Kill() }

// End is kill -9 of a process that may have ended already, its disk being gone.
func (n *Node) End() error {
	if err := n.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-n.gone
	n.stdin.Close()
	return nil
}

// Stop ends the node in good order, as the end of its parent does.
func (n *Node) Stop(ctx context.Context) error {
	n.stdin.Close()
	select {
	case <-n.gone:
		return nil
	case <-ctx.Done():
		_ = n.cmd.Process.Kill()
		<-n.gone
		return fmt.Errorf("the node does not stop: %w", context.Cause(ctx))
	}
}
