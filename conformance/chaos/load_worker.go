package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/odradek/odradek/conformance/cluster"
)

// Work is a place in which there is one worker at a time.
type Work struct {
	Client string   // franz-go, sarama, java or python
	Do     string   // what the worker's -do says
	Topics string   // NAME:PARTITIONS, with commas
	Args   []string // more of its flags
	Mortal bool     // it may be killed: it is asked to write each line at once
}

// clientsEach is how many clients a worker may have one after another, each with a number
// of its own in the history.
const clientsEach = 1000

// place is a Work with the process that does it, and those that did.
type place struct {
	Work
	load *Load
	argv []string

	mu     sync.Mutex // guards what follows; held across nothing that waits
	now    *process
	past   []*process
	ending bool
	again  int // how often a process that went by itself got a successor
	wg     sync.WaitGroup
}

// process is one life of a worker.
type process struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended, with exit
	exit error
}

func (p *process) running() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// fill starts a new process in the place, whatever the old one does.
func (p *place) fill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending {
		return nil
	}
	first := p.load.numbers(clientsEach)
	argv := slices.Concat(p.argv, []string{"-bootstrap=" + strings.Join(p.load.rig.Bootstrap(), ","), "-do=" + p.Do, "-topics=" + p.Topics,
		fmt.Sprint("-process=", first), fmt.Sprint("-seed=", p.load.seed+uint64(first)), "-out=" + p.load.file(fmt.Sprintf("%d.%s.%s.jsonl", first, p.Client, p.Do))}, p.Args)
	if p.Mortal {
		argv = append(argv, "-mortal")
	}
	if p.Client == "python" {
		argv = pythonic(argv)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	words, err := os.OpenFile(p.load.file(fmt.Sprintf("%s.%s.log", p.Client, p.Do)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer words.Close()
	cmd.Stdout, cmd.Stderr = words, words
	if err := p.load.rig.Cluster.Spawn(cmd); err != nil {
		return fmt.Errorf("start %s %s: %w", p.Client, p.Do, err)
	}
	if p.now != nil {
		p.past = append(p.past, p.now)
	}
	life := &process{cmd: cmd, gone: make(chan struct{})}
	p.now = life
	p.wg.Go(func() {
		life.exit = cmd.Wait()
		close(life.gone)
		p.mu.Lock()
		again := p.Mortal && p.now == life && !p.ending
		if again {
			p.again++
		}
		p.mu.Unlock()
		if again { // it was killed, or fenced: another one takes its place
			time.Sleep(100 * time.Millisecond) // not to spin if it cannot live
			if err := p.fill(); err != nil {
				p.load.rig.Log.Error("a worker is not replaced", "err", err)
			}
		}
	})
	return nil
}

// pythonic writes flags as argparse wants them.
func pythonic(argv []string) (all []string) {
	for _, a := range argv {
		if rest, is := strings.CutPrefix(a, "-"); is && len(all) > 1 {
			a = "--" + rest
		}
		all = append(all, a)
	}
	return all
}

// lives are all processes that the place has had.
func (p *place) lives() []*process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(slices.Clone(p.past), p.now)
}

// kill is kill -9; another process takes the place.
func (p *place) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.now.cmd.Process.Kill()
}

// zombie makes the worker stand still as if it were dead, gives its place, and with it its
// transactional id, to another one, and lets it go on after a while: it must get nothing
// done. It is killed if it is not gone by itself soon after.
func (p *place) zombie(still time.Duration, stop <-chan struct{}) error {
	p.mu.Lock()
	old := p.now
	p.mu.Unlock()
	switch err := cluster.Pause(old.cmd.Process); {
	case errors.Is(err, os.ErrProcessDone):
		return nil // it has just ended, and another takes its place
	case err != nil:
		return err
	}
	err := p.fill()
	p.wg.Go(func() {
		pause := func(d time.Duration) {
			select {
			case <-time.After(d):
			case <-old.gone:
			case <-stop:
			}
		}
		pause(still)
		_ = cluster.Resume(old.cmd.Process)
		pause(8 * time.Second)
		_ = old.cmd.Process.Kill()
	})
	return err
}

// end asks all processes to finish and waits until they have, or until patience is over:
// then they are killed, which is an error for those that write their lines at the end.
func (p *place) end(patience time.Duration) error {
	p.mu.Lock()
	p.ending = true
	p.mu.Unlock()
	lives := p.lives()
	for _, l := range lives {
		_ = cluster.Resume(l.cmd.Process)
		_ = l.cmd.Process.Signal(syscall.SIGTERM)
	}
	late := time.After(patience)
	var err error
	for _, l := range lives {
		select {
		case <-l.gone:
		case <-late:
			closed := make(chan time.Time)
			close(closed)
			late = closed // for the others, too
			if l.running() && !p.Mortal {
				err = fmt.Errorf("%s %s, process %d, does not end", p.Client, p.Do, l.cmd.Process.Pid)
			}
			_ = l.cmd.Process.Kill()
		}
	}
	p.wg.Wait()
	if err == nil && !p.Mortal && p.now.exit != nil {
		err = fmt.Errorf("%s %s: %w (see %s)", p.Client, p.Do, p.now.exit, p.load.file(fmt.Sprintf("%s.%s.log", p.Client, p.Do)))
	}
	return err
}

// millis writes a time as each worker's flags want it.
func millis(client string, d time.Duration) string {
	if client == "java" || client == "python" {
		return strconv.FormatInt(d.Milliseconds(), 10)
	}
	return d.String()
}
