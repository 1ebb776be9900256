package cluster

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
)

// starter starts processes from one thread that lives as long as the cluster: where the
// system can, a child is killed when the thread that started it ends, so that no node
// outlives the test, however the test ends.
type starter struct {
	jobs chan func()
	stop func()
}

func newStarter() *starter {
	s := &starter{jobs: make(chan func())}
	s.stop = sync.OnceFunc(func() { close(s.jobs) })
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

func (s *starter) start(cmd *exec.Cmd) error {
	dieWithParent(cmd)
	done := make(chan error)
	s.jobs <- func() { done <- cmd.Start() }
	return <-done
}

func (s *starter) close() { s.stop() }

// Spawn starts a process that is no node, but must not outlive the cluster either. The
// caller waits for its end, and sees to it before Close.
func (c *Cluster) Spawn(cmd *exec.Cmd) error { return c.starter.start(cmd) }

// Kill ends a process that was spawned, and what it has started itself.
func Kill(p *os.Process) error { return kill(p) }

// Pause makes a process that was spawned stand still (SIGSTOP).
func Pause(p *os.Process) error { return pause(p) }

// Resume lets it go on (SIGCONT).
func Resume(p *os.Process) error { return resume(p) }
