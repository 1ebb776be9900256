package measure

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Calls counts the system calls of processes, by perf or by strace, whichever there is and may.
type Calls struct {
	By   string // perf or strace
	cmd  *exec.Cmd
	said bytes.Buffer // its standard error; whole when gone is closed
	gone chan struct{}
}

// CountCalls begins to count, and returns when it counts. perf costs little; strace slows
// the processes down many times, and is taken only if perf is not there.
func CountCalls(ctx context.Context, pids ...int) (*Calls, error) {
	list := make([]string, len(pids))
	for i, pid := range pids {
		list[i] = strconv.Itoa(pid)
	}
	perf := []string{"perf", "stat", "-x", ";", "-e", "raw_syscalls:sys_enter", "-p", strings.Join(list, ",")}
	strace := []string{"strace", "-f", "-c", "-U", "calls,name"}
	for _, pid := range list {
		strace = append(strace, "-p", pid)
	}
	var errs []error
	for _, argv := range [][]string{perf, strace} {
		c, err := startCalls(ctx, argv)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func startCalls(ctx context.Context, argv []string) (*Calls, error) {
	if _, err := exec.LookPath(argv[0]); err != nil {
		return nil, err
	}
	c := &Calls{By: argv[0], gone: make(chan struct{}), cmd: exec.Command(argv[0], argv[1:]...)}
	var guarded lockedBuffer
	c.cmd.Stderr = &guarded
	c.cmd.Env = append(os.Environ(), "LC_ALL=C")
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = c.cmd.Wait() // how it ended is told by what it said
		c.said.Write(guarded.bytes())
		close(c.gone)
	}()
	// strace tells when it has attached. perf does not, and needs a moment; if it may not
	// count it ends in that moment.
	for began := time.Now(); ; {
		select {
		case <-c.gone:
			return nil, fmt.Errorf("%s: %s", argv[0], bytes.TrimSpace(c.said.Bytes()))
		case <-ctx.Done():
			_, _ = c.End()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if c.By == "strace" && bytes.Contains(guarded.bytes(), []byte(" attached")) || c.By == "perf" && time.Since(began) > 500*time.Millisecond {
			return c, nil
		}
	}
}

// End counts no more, and says how many calls there were.
func (c *Calls) End() (int64, error) {
	_ = c.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-c.gone:
	case <-time.After(20 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.gone
	}
	if c.By == "perf" {
		return perfCalls(c.said.Bytes())
	}
	return straceCalls(c.said.Bytes())
}

// perfCalls reads what perf stat -x prints: the count first.
func perfCalls(said []byte) (int64, error) {
	for line := range bytes.Lines(said) {
		if count, rest, ok := bytes.Cut(line, []byte(";")); ok && bytes.Contains(rest, []byte("sys_enter")) {
			if bytes.HasPrefix(count, []byte("<not counted>")) {
				return 0, nil // no thread has run
			}
			return strconv.ParseInt(string(count), 10, 64)
		}
	}
	return 0, fmt.Errorf("perf: %s", bytes.TrimSpace(said))
}

// straceCalls reads the table that strace -c -U calls,name prints: its last line is the total.
func straceCalls(said []byte) (int64, error) {
	lines := bufio.NewScanner(bytes.NewReader(said))
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) == 2 && words[1] == "total" {
			return strconv.ParseInt(words[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("strace: %s", bytes.TrimSpace(said))
}

// lockedBuffer is written by one goroutine and read by another.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}
