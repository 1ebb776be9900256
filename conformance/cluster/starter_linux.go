package cluster

import (
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent also keeps ^C at a terminal from the child: the rig ends it.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// kill reaches the whole group, of which the child is the first.
func kill(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }

func pause(p *os.Process) error  { return p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
