// Package world is a cluster in one process and what may befall it: nodes that run the real
// broker, lines between them, disks below them, and a nemesis. It knows how to hurt and how
// to heal; it does not know what clients do and checks nothing of what they see. All of it
// lives in a testing/synctest bubble. A World owns the goroutines of its nodes and those that
// listen to their images; Down ends them.
package world

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kgo"
)

// World is a cluster. Its methods are called by one goroutine, the test's, unless they say
// that any may call them.
type World struct {
	// Rand decides what happens, by the seed. The test's goroutine alone may ask it.
	Rand *rand.Rand
	// May is asked what faults may do to a topic that is not internal: one of MayMove and so
	// on. By default they may move and alter it.
	May func(do, topic string) bool

	t     testing.TB
	seed  uint64
	shape Shape
	net   *memnet.Network
	nodes []*Node
	truth truth // what the nodes' images have said

	client    *kgo.Client // of those who change things, nil before the first does
	lasting   []lasting   // faults, in the order of their beginnings
	replacing *replacement
	spoilt    *Node           // that may lose what it has synced, or has; nil is none
	weak      bool            // one replica may be enough to acknowledge
	rotten    map[string]bool // folders of partitions in which bits were turned, on the one that is spoilt

	mu     sync.Mutex      // guards all below; held over nothing that waits
	chance *rand.Rand      // for what is drawn on other goroutines
	dead   map[string]bool // hosts of nodes that do not run
	tally  map[string]int  // faults, by their names
	closes []func()        // what Down does before the nodes stop

	waiting sync.WaitGroup // for those who listen to the images
}

// New makes the nodes of a cluster; none runs yet. The same seed and shape make the same
// world. It must be called inside a bubble.
func New(t testing.TB, seed uint64, s Shape) *World {
	s.fill()
	w := &World{
		Rand: rand.New(rand.NewPCG(seed, 3)), t: t, seed: seed, shape: s, net: memnet.New(0), truth: newTruth(),
		chance: rand.New(rand.NewPCG(seed, 5)), dead: make(map[string]bool), tally: make(map[string]int),
		rotten: make(map[string]bool),
	}
	w.May = func(do, _ string) bool { return do == MayMove || do == MayAlter }
	w.net.OnDial(w.dialed)
	voters := make(map[int32]string)
	for id := range int32(s.Voters) {
		voters[id+1] = controllerAddress(id + 1)
	}
	for id := range int32(s.Voters + s.Brokers) {
		n := newNode(w, id+1, voters)
		n.votes, n.serves = int(id) < s.Voters, int(id) >= s.Voters || !s.Split
		w.nodes = append(w.nodes, n)
	}
	return w
}

// Shape is what the world was made of.
func (w *World) Shape() Shape { return w.shape }

// Seed is what the world was made with.
func (w *World) Seed() uint64 { return w.seed }

// Nodes are all nodes, those that do not run too, by id. Any goroutine may call it.
func (w *World) Nodes() []*Node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodes
}

// Node is the node of an id, nil if there is none. Any goroutine may call it.
func (w *World) Node(id int32) *Node {
	for _, n := range w.Nodes() {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// Owner is the node that was given a file system, nil if none was. Any goroutine may call it.
func (w *World) Owner(fs any) *Node {
	for _, n := range w.Nodes() {
		if n.has(fs) {
			return n
		}
	}
	return nil
}

// Up starts every node that does not run, and waits until all serve.
func (w *World) Up() {
	w.t.Helper()
	for _, n := range w.nodes {
		if !n.Running() {
			n.Launch()
		}
	}
	for _, n := range w.nodes {
		if err := n.Serving(); err != nil {
			w.t.Fatalf("node %d: %v", n.ID, err)
		}
	}
}

// AtDown has Down call f before the nodes stop. Any goroutine may call it.
func (w *World) AtDown(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closes = append(w.closes, f)
}

// Down stops all nodes in order and waits for their ends. What their images said that
// cannot be is an error of the test.
func (w *World) Down() {
	w.t.Helper()
	for _, f := range w.closes {
		f()
	}
	w.closes = nil
	w.mend()
	for _, n := range w.nodes {
		if l := n.life.Load(); l != nil {
			l.stop(nil)
		}
	}
	for _, n := range w.nodes {
		if l := n.life.Load(); l != nil {
			if err := l.wait(); err != nil && !n.hurt {
				w.t.Errorf("node %d stopped: %v", n.ID, err)
			}
			n.life.Store(nil)
		}
	}
	w.waiting.Wait()
	for _, err := range w.truth.errs {
		w.t.Error(err)
	}
}

// Heal undoes all faults, brings every node back and waits until all serve.
func (w *World) Heal() {
	w.t.Helper()
	w.mend()
	for _, n := range w.nodes {
		if b := n.Broker(); b != nil && (!n.Running() || b.OfflineDirs() > 0) {
			n.KillProcess() // someone has put in another disk
		}
		if !n.Running() && !w.awaits(n) {
			n.Launch()
		}
	}
	if err := w.replace(time.Minute); err != nil {
		w.t.Fatal(err)
	}
	w.Up()
}

// mend undoes all faults that last.
func (w *World) mend() {
	for _, l := range w.lasting {
		l.undo()
	}
	w.lasting = nil
	for _, n := range w.nodes {
		n.mend()
	}
	w.mendLines()
}

// dialed refuses what nobody answers, as a dead machine's neighbour would.
func (w *World) dialed(from, to string) error {
	f, _, _ := strings.Cut(from, ":")
	t, _, _ := strings.Cut(to, ":")
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead[f] || w.dead[t] {
		return syscall.ECONNREFUSED
	}
	return nil
}

func (w *World) setDead(host string, dead bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead[host] = dead
}

// draw is a source of chance of its own, for any goroutine.
func (w *World) draw() *rand.Rand {
	w.mu.Lock()
	defer w.mu.Unlock()
	return rand.New(rand.NewPCG(w.chance.Uint64(), w.chance.Uint64()))
}

// Leading is the node that decides for the cluster, nil if none does. Any goroutine may call
// it.
func (w *World) Leading() *Node {
	for _, n := range w.Nodes() {
		if b := n.Broker(); b != nil && b.Leading() {
			return n
		}
	}
	return nil
}

// Image is the newest image of the cluster that a node that runs has, an empty one if none
// does. Any goroutine may call it.
func (w *World) Image() *metadata.Image {
	newest := metadata.Empty()
	for _, n := range w.Nodes() {
		if b := n.Broker(); b != nil {
			if image := b.Feed().Image(); image.Offset > newest.Offset {
				newest = image
			}
		}
	}
	return newest
}

// Leader is the running node that leads a partition, nil if there is none. Any goroutine may
// call it.
func (w *World) Leader(topic string, partition int32) *Node {
	_, p, ok := w.Image().Partition(topic, partition)
	if !ok || p.Leader == model.NoLeader {
		return nil
	}
	if n := w.Node(p.Leader); n != nil && n.Running() {
		return n
	}
	return nil
}

// Eventually waits until cond holds, and ends the test if it does not within a time.
func (w *World) Eventually(what string, within time.Duration, cond func() bool) {
	w.t.Helper()
	if !w.Within(within, cond) {
		w.t.Fatalf("not within %v: %s", within, what)
	}
}

// Within waits until cond holds, and reports whether it did within a time. Any goroutine may
// call it.
func (w *World) Within(limit time.Duration, cond func() bool) bool {
	for began := time.Now(); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > limit {
			return false
		}
	}
	return true
}

func hostOf(id int32) string            { return fmt.Sprintf("node-%d", id) }
func kafkaAddress(id int32) string      { return hostOf(id) + ":9092" }
func controllerAddress(id int32) string { return hostOf(id) + ":9093" }

var errSelf = errors.New("it has stopped by itself")
