package eos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// counts are what became of a crew's transactions, as its workers told it. A worker that is
// killed may have had more to tell.
type counts struct {
	Committed, Records, Aborted, Fenced, Failed atomic.Int64
	Killed, Paused, Left                        atomic.Int64
}

// crew is the workers of one client: processes of the same program, each in a place with a
// transactional id. A place whose process ends gets a new one.
type crew struct {
	client   string
	argv     []string
	seeds    []string
	protocol string
	dir      string // for what they print
	counts   counts

	mu      sync.Mutex // guards what follows; held across nothing that waits
	places  []*process
	past    []*process // replaced, and perhaps not yet gone
	reasons map[string]int
	ending  bool
	starts  chan func()
	wg      sync.WaitGroup
}

// process is one life of a worker.
type process struct {
	cmd    *exec.Cmd
	gone   chan struct{}
	fenced atomic.Bool
}

func (c *crew) in() string    { return "eos." + c.client + ".in" }
func (c *crew) out() string   { return "eos." + c.client + ".out" }
func (c *crew) group() string { return "eos." + c.client }

// begin starts so many workers.
func (c *crew) begin(workers int) {
	c.reasons, c.places, c.starts = make(map[string]int), make([]*process, workers), make(chan func())
	// Processes are started by one thread that stays: they die with it.
	go func() {
		runtime.LockOSThread()
		for f := range c.starts {
			f()
		}
	}()
	for i := range workers {
		c.fill(i)
	}
}

// fill starts a new process in a place, whatever the old one does.
func (c *crew) fill(place int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return
	}
	argv := append(slices.Clone(c.argv), "-bootstrap="+strings.Join(c.seeds, ","), "-in="+c.in(), "-out="+c.out(),
		"-group="+c.group(), fmt.Sprintf("-id=%s.%d", c.group(), place), "-protocol="+c.protocol)
	cmd := exec.Command(argv[0], argv[1:]...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		panic("bug: " + err.Error())
	}
	words, err := os.OpenFile(filepath.Join(c.dir, c.client+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		c.note("cannot be started: " + err.Error())
		return
	}
	defer words.Close()
	cmd.Stderr = words
	dieWithParent(cmd)
	started := make(chan error)
	c.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		c.note("cannot be started: " + err.Error())
		return
	}
	p := &process{cmd: cmd, gone: make(chan struct{})}
	if old := c.places[place]; old != nil {
		c.past = append(c.past, old)
	}
	c.places[place] = p
	c.wg.Go(func() {
		c.listen(p, out)
		_ = cmd.Wait()
		close(p.gone)
		c.mu.Lock()
		again := c.places[place] == p && !c.ending
		c.mu.Unlock()
		if again { // it went by itself, or was killed: another one takes its place
			time.Sleep(100 * time.Millisecond) // not to spin if it cannot live
			c.fill(place)
		}
	})
}

// listen counts what a worker tells until it is gone.
func (c *crew) listen(p *process, out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			Event, Reason string
			Records       int64
		}
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // a library's own words
		}
		switch e.Event {
		case "commit":
			c.counts.Committed.Add(1)
			c.counts.Records.Add(e.Records)
		case "abort":
			c.counts.Aborted.Add(1)
		case "fenced":
			p.fenced.Store(true)
			c.counts.Fenced.Add(1)
		case "failed":
			c.counts.Failed.Add(1)
		}
		if e.Reason != "" {
			c.mu.Lock()
			c.note(e.Event + ": " + e.Reason)
			c.mu.Unlock()
		}
	}
}

// note counts a reason; c.mu is held.
func (c *crew) note(reason string) {
	if len(c.reasons) < 200 || c.reasons[reason] > 0 {
		c.reasons[reason]++
	}
}

func (c *crew) at(place int) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.places[place]
}

// kill is kill -9; another process takes the place.
func (c *crew) kill(place int) {
	if p := c.at(place); p != nil {
		c.counts.Killed.Add(1)
		_ = p.cmd.Process.Kill()
	}
}

// leave ends a worker in good order; another one takes its place.
func (c *crew) leave(place int) {
	if p := c.at(place); p != nil {
		c.counts.Left.Add(1)
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
}

// pause lets a worker stand still as if it were dead, gives its place and its transactional
// id to another one, and wakes it after a while: a zombie, which must not get anything done.
// It is killed if it is not gone by itself soon after.
func (c *crew) pause(place int, still time.Duration, stop <-chan struct{}) {
	p := c.at(place)
	if p == nil || pause(p.cmd.Process) != nil {
		return
	}
	c.counts.Paused.Add(1)
	c.fill(place)
	c.wg.Go(func() {
		wait := func(d time.Duration) {
			select {
			case <-time.After(d):
			case <-p.gone:
			case <-stop:
			}
		}
		wait(still)
		_ = resume(p.cmd.Process)
		wait(8 * time.Second)
		_ = p.cmd.Process.Kill()
	})
}

// harm does something to a worker that chance picks.
func (c *crew) harm(rng *rand.Rand, stop <-chan struct{}) {
	place := rng.IntN(len(c.places))
	switch rng.IntN(4) {
	case 0, 1:
		c.kill(place)
	case 2:
		c.pause(place, time.Duration(2+rng.IntN(8))*time.Second, stop)
	default:
		c.leave(place)
	}
}

// end kills every process and waits until all are gone.
func (c *crew) end() {
	c.mu.Lock()
	if c.ending {
		c.mu.Unlock()
		return
	}
	c.ending = true
	all := slices.Concat(c.places, c.past)
	c.mu.Unlock()
	for _, p := range all {
		if p != nil {
			_ = p.cmd.Process.Kill()
		}
	}
	c.wg.Wait()
	close(c.starts)
}

// troubles are the most frequent reasons that workers told.
func (c *crew) troubles(most int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for r := range c.reasons {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b string) int { return c.reasons[b] - c.reasons[a] })
	var b strings.Builder
	for _, r := range all[:min(most, len(all))] {
		fmt.Fprintf(&b, "  %4d × %s\n", c.reasons[r], r)
	}
	return b.String()
}
