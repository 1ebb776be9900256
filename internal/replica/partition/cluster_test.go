package partition

import (
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

var verbose = flag.Bool("tell", false, "tell the history of a cluster step by step")

// cluster is three nodes, a toy controller and the messages between them, moved on by a
// random hand. Every record that is acknowledged by acks=all, with two in sync at least,
// must stay where it is.
type cluster struct {
	t     *testing.T
	rng   *rand.Rand
	nodes map[int32]*node

	// The controller: every state that it has decided, and who may lead.
	states []decision
	elr    bool     // eligible leader replicas are kept (KIP-966)
	told   []report // reports on their way, and answers
	heard  []report
	fenced map[int32]bool
	epochs int64
	asked  []asked

	mu      sync.Mutex // guards acked of records
	records []*sent
	values  int
	led     map[string]int64 // high watermark by life and leader epoch
	start   int64            // of the log: DeleteRecords
	mood    mood
	txns    *txns // nil if there are none
}

// decision is what the controller has decided.
type decision struct {
	Role
	elr  []int32
	lost map[int32]int // replicas that say so, how often
}

// report is on its way to the controller: a replica is lost, or is not.
type report struct {
	node  int32
	epoch int64
	lost  bool
	at    int // the state by which it was decided
}

type sent struct {
	value     string
	base, end int64
	epoch     int32
	node      int32
	acked     bool
}

// fetch is one fetch of a follower on its way.
type fetch struct {
	epoch  int32
	leader int32
	ask    FollowerFetch
	// The answer, once there is one.
	answered bool
	err      error
	batches  []byte
	res      ReadResult
}

// asked is a proposal on its way to the controller, or its answer on the way back.
type asked struct {
	p        *Partition
	node     int32
	epoch    int64
	pr       ISRProposal
	answered bool
	state    *State
	err      error
}

func newCluster(t *testing.T, seed uint64) *cluster {
	c := &cluster{t: t, rng: rand.New(rand.NewPCG(seed, 3)), nodes: map[int32]*node{}, fenced: map[int32]bool{}, led: map[string]int64{}}
	c.mood = newMood(c.rng)
	c.elr = c.rng.IntN(3) > 0
	c.states = []decision{{Role: Role{Leader: 1, Epoch: 0, ISR: []int32{1, 2, 3}, Replicas: []int32{1, 2, 3}}}}
	for id := int32(1); id <= 3; id++ {
		n := newNode(t, id, c.rng)
		c.nodes[id] = n
		n.start()
		c.register(n)
		c.see(n)
	}
	t.Cleanup(func() { // after a failure, too, nothing may go on in the bubble
		for _, n := range c.nodes {
			if n.up {
				n.crash(false)
			}
		}
	})
	return c
}

func (c *cluster) trace(format string, a ...any) {
	if *verbose {
		c.t.Logf(format, a...)
	}
}

func (c *cluster) now() decision { return c.states[len(c.states)-1] }

// decide adds a state with another ISR, as cluster/controller does: the leader stays if it
// may, unless another is wanted.
func (c *cluster) decide(isr []int32, another bool) {
	s := c.now()
	switch {
	case !c.elr && len(isr) == 0:
		isr = s.ISR // the last one is waited for
	case c.elr && len(isr) < 2: // fewer than min.insync.replicas
		elr := without(slices.Concat(s.elr, s.ISR), isr...)
		slices.Sort(elr)
		s.elr = slices.Compact(elr)
	}
	s.ISR = isr
	valid := isr
	if len(isr) == 0 {
		valid = s.elr
	}
	valid = slices.DeleteFunc(slices.Clone(valid), func(id int32) bool { return c.fenced[id] || s.lost[id] > 0 })
	was := s.Leader
	switch {
	case len(valid) == 0:
		s.Leader = model.NoLeader
	case another || !slices.Contains(valid, was):
		s.Leader = valid[c.rng.IntN(len(valid))]
	}
	if s.Leader != model.NoLeader && len(isr) == 0 {
		s.ISR, s.elr = []int32{s.Leader}, without(s.elr, s.Leader)
	}
	if len(s.ISR) >= 2 {
		s.elr = nil
	}
	if s.Leader != was {
		s.Epoch++
	}
	s.PartitionEpoch++
	c.states = append(c.states, s)
	c.trace("  controller: leader %d, epoch %d.%d, isr %v, elr %v, lost %v", s.Leader, s.Epoch, s.PartitionEpoch, s.ISR, s.elr, s.lost)
}

func without(list []int32, ids ...int32) []int32 {
	return slices.DeleteFunc(slices.Clone(list), func(id int32) bool { return slices.Contains(ids, id) })
}

func (c *cluster) register(n *node) {
	c.epochs++
	n.epoch, n.at = c.epochs, -1
}

// see has a node learn of the next state, or of the newest if it has just started.
func (c *cluster) see(n *node) {
	if n.at < 0 {
		n.at = len(c.states) - 1
	} else if n.at+1 < len(c.states) {
		n.at++
	} else {
		return
	}
	s := c.states[n.at]
	r := s.Role
	r.Self, r.Leading, r.Lost = n.id, r.Leader == n.id, s.lost[n.id] > 0
	n.p.Assign(r)
	c.trace("  node %d sees leader %d, epoch %d.%d, isr %v, lost %v; marks %+v", n.id, r.Leader, r.Epoch, r.PartitionEpoch, r.ISR, r.Lost, c.marks(n))
}

func (c *cluster) marks(n *node) Offsets {
	c.t.Helper()
	o, err := n.p.Offsets()
	if err != nil {
		c.t.Fatalf("node %d: %v", n.id, err)
	}
	return o
}

// fence takes a node out of service.
func (c *cluster) fence(id int32) {
	if c.fenced[id] {
		return
	}
	c.fenced[id] = true
	c.decide(without(c.now().ISR, id), false)
}

func (c *cluster) unfence(id int32) {
	c.fenced[id] = false
	if s := c.now(); s.Leader == model.NoLeader {
		c.decide(s.ISR, false)
	}
}

// assign decides on a report, as cluster/controller does (AssignReplicasToDirs).
func (c *cluster) assign(r report) {
	s := c.now()
	if c.nodes[r.node].epoch != r.epoch {
		return
	}
	lost := maps.Clone(s.lost)
	if lost == nil {
		lost = map[int32]int{}
	}
	lost[r.node]++
	if !r.lost {
		lost[r.node] = 0
	}
	if lost[r.node] != s.lost[r.node] {
		isr := s.ISR
		if r.lost {
			isr = without(isr, r.node)
		}
		c.states[len(c.states)-1].lost = lost // seen with the next decision only
		c.decide(isr, false)
		c.states[len(c.states)-2].lost = s.lost
	}
	r.at = len(c.states) - 1
	c.heard = append(c.heard, r)
}

// alter decides on a proposal, as cluster/controller does.
func (c *cluster) alter(a *asked) {
	s := c.now()
	a.answered = true
	var isr []int32
	switch {
	case c.nodes[a.node].epoch != a.epoch:
		a.err = kerr.StaleBrokerEpoch
	case a.pr.LeaderEpoch < s.Epoch:
		a.err = kerr.FencedLeaderEpoch
	case a.pr.PartitionEpoch < s.PartitionEpoch:
		a.err = kerr.InvalidUpdateVersion
	}
	for _, b := range a.pr.ISR {
		isr = append(isr, b.ID)
		if a.err == nil && (c.fenced[b.ID] || b.Epoch != -1 && b.Epoch != c.nodes[b.ID].epoch) {
			a.err = kerr.IneligibleReplica
		}
	}
	if a.err == nil {
		c.decide(isr, false)
		s = c.now()
		a.state = &State{Leader: s.Leader, LeaderEpoch: s.Epoch, PartitionEpoch: s.PartitionEpoch, ISR: s.ISR}
	}
	c.trace("  controller answers node %d: isr %v: %v", a.node, isr, a.err)
}

func (c *cluster) alive(id int32) (int64, bool, bool) {
	return c.nodes[id].epoch, c.fenced[id] || c.rng.IntN(8) == 0, true // images are late
}

// any picks a node that is up and fits; nil if there is none.
func (c *cluster) any(fits func(Role) bool) *node {
	var up []*node
	for id := int32(1); id <= 3; id++ {
		if n := c.nodes[id]; n.up && fits(n.p.Role()) {
			up = append(up, n)
		}
	}
	if len(up) == 0 {
		return nil
	}
	return up[c.rng.IntN(len(up))]
}

func isUp(Role) bool      { return true }
func leads(r Role) bool   { return r.Leading }
func follows(r Role) bool { return !r.Leading && r.Leader != model.NoLeader }
