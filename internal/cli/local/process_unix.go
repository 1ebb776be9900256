//go:build unix

package local

import (
	"os"
	"os/exec"
	"syscall"
)

// detach gives the process a session of its own.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// terminate asks a process to stop in order.
func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
