package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/broker"
)

// Node is a machine: a disk, a host on the network, and perhaps a process. What starts and
// ends it is called by the test's goroutine.
type Node struct {
	ID int32

	w      *World
	votes  bool // it is a controller
	serves bool // it is a broker
	voters map[int32]string
	static map[string]string
	life   atomic.Pointer[life] // of the process, nil while there is none
	hurt   bool                 // the process may end by itself, and with an error
	skew   atomic.Int64         // of the wall clock, nanoseconds
	misset atomic.Bool

	replaced bool // it came for another
	paused   bool
	slow     func() // ends the stall of the disk, nil while there is none

	mu    sync.Mutex // guards all below; held over nothing that waits
	disk  *vfs.Mem
	drive *vfs.Faulty // the disk, for the process that runs
	dark  bool        // the power was cut, and the process does not know yet
	ills  map[string]vfs.Rule
}

// life is a process, from its start to its end.
type life struct {
	broker *broker.Broker
	stop   context.CancelCauseFunc
	ended  chan struct{}
	err    error // once it has ended
}

func (l *life) wait() error {
	<-l.ended
	return l.err
}

func newNode(w *World, id int32, voters map[int32]string) *Node {
	w.afar(ClientHost, hostOf(id))
	return &Node{ID: id, w: w, voters: voters, static: maps.Clone(w.shape.Static), disk: vfs.NewMem(), ills: make(map[string]vfs.Rule)}
}

// Host is the node's name on the network.
func (n *Node) Host() string { return hostOf(n.ID) }

// Address is where its clients reach it.
func (n *Node) Address() string { return kafkaAddress(n.ID) }

// Serves reports whether the node is a broker, and Votes whether it is a controller.
func (n *Node) Serves() bool { return n.serves }
func (n *Node) Votes() bool  { return n.votes }

// Set gives the node a setting, from its next start on.
func (n *Node) Set(key, value string) { n.static[key] = value }

// Running reports whether the node's process runs. Any goroutine may call it.
func (n *Node) Running() bool {
	l := n.life.Load()
	if l == nil {
		return false
	}
	select {
	case <-l.ended:
		return false
	default:
		return true
	}
}

// Broker is the node's process, nil if there is none. Any goroutine may call it.
func (n *Node) Broker() *broker.Broker {
	if l := n.life.Load(); l != nil {
		return l.broker
	}
	return nil
}

// Disk is the disk as the next process will find it, or as the present one sees it. Any
// goroutine may call it.
func (n *Node) Disk() *vfs.Mem {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.disk
}

// FS is what the node's process was given. Any goroutine may call it.
func (n *Node) FS() vfs.FS {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.drive
}

func (n *Node) has(fs any) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return fs == any(n.drive)
}

// Launch starts the node's process, and does not wait until it serves.
func (n *Node) Launch() {
	n.w.t.Helper()
	n.reap()
	if n.life.Load() != nil {
		panic(fmt.Sprintf("bug: node %d runs already", n.ID))
	}
	n.mu.Lock()
	n.drive, n.dark = vfs.NewFaulty(n.disk, nil), false
	clear(n.ills)
	n.mu.Unlock()
	n.hurt = false
	n.w.setDead(n.Host(), false)
	b, err := broker.New(n.config())
	if err != nil {
		n.w.t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	l := &life{broker: b, stop: stop, ended: make(chan struct{})}
	n.life.Store(l)
	n.w.waiting.Go(func() {
		l.err = b.Run(ctx)
		close(l.ended)
	})
	n.w.waiting.Go(func() { n.w.truth.listen(ctx, n.ID, b.Feed()) })
}

// Serving waits until the node serves, or tells why it does not.
func (n *Node) Serving() error {
	l := n.life.Load()
	if l == nil {
		return errors.New("it was not started")
	}
	select {
	case <-l.broker.Ready():
		return nil
	case <-l.ended:
		n.reap()
		return errors.Join(errSelf, l.err)
	case <-time.After(time.Minute):
		return errors.New("it does not serve after a minute")
	}
}

// reap buries a process that has ended by itself.
func (n *Node) reap() {
	if l := n.life.Load(); l != nil && !n.Running() {
		n.KillProcess()
	}
}

// CutPower takes the machine's power: what was not synced is gone, and so are the bytes on
// its lines. What is left of its process can do nothing any more, and ends in Kill. Any
// goroutine may call it, the process' own too, as at a failpoint.
func (n *Node) CutPower() {
	rng := n.w.draw()
	n.die(func(d *vfs.Mem) *vfs.Mem { return d.Crash(rng) })
}

// die ends what the process can do, at once. The first cause counts.
func (n *Node) die(how func(*vfs.Mem) *vfs.Mem) {
	n.mu.Lock()
	if !n.dark {
		n.disk, n.dark = how(n.disk), true
	}
	n.mu.Unlock()
	n.w.setDead(n.Host(), true)
	n.w.net.Kill(n.Host())
}

// Kill cuts the machine's power and waits until nothing is left of the process.
func (n *Node) Kill() {
	n.CutPower()
	n.bury()
}

// KillProcess ends the process as kill -9 does: the disk keeps what was written.
func (n *Node) KillProcess() {
	n.die((*vfs.Mem).Kill)
	n.bury()
}

func (n *Node) bury() {
	n.w.ended(n)
	n.mend()
	l := n.life.Load()
	if l == nil {
		return
	}
	l.stop(broker.ErrAtOnce)
	_ = l.wait() // whatever it says: its disk is gone
	n.life.Store(nil)
}

// Halt stops the process in order, and returns what it says.
func (n *Node) Halt() error {
	n.w.ended(n)
	n.mend()
	l := n.life.Load()
	if l == nil {
		return nil
	}
	l.stop(nil)
	err := l.wait()
	n.life.Store(nil)
	if n.hurt {
		return nil
	}
	return err
}

// SetClock has the machine's wall clock be wrong by so much.
func (n *Node) SetClock(by time.Duration) {
	n.skew.Store(int64(by))
	n.misset.Store(n.misset.Load() || by != 0)
}

// Misset reports whether a machine's wall clock was ever wrong.
func (w *World) Misset() bool {
	return slices.ContainsFunc(w.nodes, func(n *Node) bool { return n.misset.Load() })
}

// Wipe loses the disk of a node that does not run: it has an empty one.
func (n *Node) Wipe() {
	if n.Running() {
		panic(fmt.Sprintf("bug: node %d runs on the disk that is to be lost", n.ID))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.disk = vfs.NewMem()
}

// Stall has the disk answer nothing until it is let on.
func (n *Node) Stall(on bool) {
	switch {
	case on == (n.slow != nil):
	case on:
		until := make(chan struct{})
		n.slow = func() { close(until) }
		n.Ail("stall", func(vfs.Op, string) error { <-until; return nil })
	default:
		n.Ail("stall", nil)
		n.slow()
		n.slow = nil
	}
}

// Ail has a rule decide what goes wrong with the disk of the process that runs, beside the
// other rules; nil takes away the one of that name.
func (n *Node) Ail(name string, rule vfs.Rule) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.drive == nil {
		return
	}
	if n.ills[name] = rule; rule == nil {
		delete(n.ills, name)
	}
	var rules []vfs.Rule
	for _, name := range slices.Sorted(maps.Keys(n.ills)) {
		rules = append(rules, n.ills[name])
	}
	if len(rules) == 0 {
		n.drive.SetRule(nil)
		return
	}
	n.drive.SetRule(func(op vfs.Op, file string) error {
		for _, rule := range rules {
			if err := rule(op, file); err != nil {
				return err
			}
		}
		return nil
	})
}

// mend takes all ills from the disk and lets it on.
func (n *Node) mend() {
	n.Pause(false)
	n.Stall(false)
	n.mu.Lock()
	names := slices.Collect(maps.Keys(n.ills))
	n.mu.Unlock()
	for _, name := range names {
		n.Ail(name, nil)
	}
}

// random is a node's source of random bytes.
func random(rng *rand.Rand) func([]byte) {
	var mu sync.Mutex
	return func(p []byte) {
		mu.Lock()
		defer mu.Unlock()
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
	}
}
