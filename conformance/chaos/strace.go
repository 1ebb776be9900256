package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// tracer is an error if calls of a process cannot be made to fail here.
func tracer() error {
	if _, err := exec.LookPath("strace"); err != nil {
		return errors.New("there is no strace (apt-get install strace)")
	}
	out, err := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "inject=fsync:error=EIO", "true").CombinedOutput()
	if err != nil {
		return fmt.Errorf("strace does not work here: %w: %s", err, out)
	}
	return nil
}

// trace attaches strace to a running process, with an injection such as
// "fsync,fdatasync:error=EIO", until the returned func is called; that one may be called
// when the process is gone. It returns when every thread is traced.
func trace(pid int, injection string) (detach func(), err error) {
	calls, _, _ := strings.Cut(injection, ":")
	cmd := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-p", strconv.Itoa(pid), "-e", "trace="+calls, "-e", "inject="+injection)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	detach = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-gone:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-gone
		}
	}
	for range 500 {
		select {
		case <-gone:
			return nil, fmt.Errorf("strace of process %d ended: %s", pid, said.String())
		default:
		}
		if traced(pid) {
			return detach, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	detach()
	return nil, fmt.Errorf("strace does not get hold of process %d: %s", pid, said.String())
}

// traced tells whether every thread of a process has a tracer.
func traced(pid int) bool {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil || len(tasks) == 0 {
		return false
	}
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, task.Name()))
		if err == nil && strings.Contains(string(text), "TracerPid:\t0\n") {
			return false
		}
	}
	return true
}
