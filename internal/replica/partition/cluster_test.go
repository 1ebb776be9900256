package partition

import (
	"flag"
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
	states []Role
	fenced map[int32]bool
	epochs int64
	asked  []asked

	mu      sync.Mutex // guards acked of records
	records []*sent
	values  int
	led     map[string]int64 // high watermark by life and leader epoch
	start   int64            // of the log: DeleteRecords
	mood    mood
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
	c.states = []Role{{Leader: 1, Epoch: 0, ISR: []int32{1, 2, 3}, Replicas: []int32{1, 2, 3}}}
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

func (c *cluster) now() Role { return c.states[len(c.states)-1] }

// decide adds a state. A change of leader is a new leader epoch.
func (c *cluster) decide(leader int32, isr []int32) {
	s := c.now()
	if s.Leader != leader {
		s.Epoch++
	}
	s.Leader, s.ISR = leader, isr
	s.PartitionEpoch++
	c.states = append(c.states, s)
	c.trace("  controller: leader %d, epoch %d.%d, isr %v", s.Leader, s.Epoch, s.PartitionEpoch, s.ISR)
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
	r := c.states[n.at]
	r.Self, r.Leading = n.id, r.Leader == n.id
	n.p.Assign(r)
	c.trace("  node %d sees leader %d, epoch %d.%d, isr %v; marks %+v", n.id, r.Leader, r.Epoch, r.PartitionEpoch, r.ISR, c.marks(n))
}

func (c *cluster) marks(n *node) Offsets {
	c.t.Helper()
	o, err := n.p.Offsets()
	if err != nil {
		c.t.Fatalf("node %d: %v", n.id, err)
	}
	return o
}

// elect picks a leader among those in sync that live; none if there is none.
func (c *cluster) elect(isr []int32) int32 {
	var able []int32
	for _, id := range isr {
		if !c.fenced[id] {
			able = append(able, id)
		}
	}
	if len(able) == 0 {
		return model.NoLeader
	}
	return able[c.rng.IntN(len(able))]
}

// fence takes a node out of service. The last one in sync stays in the ISR.
func (c *cluster) fence(id int32) {
	if c.fenced[id] {
		return
	}
	s := c.now()
	c.fenced[id] = true
	isr := slices.DeleteFunc(slices.Clone(s.ISR), func(i int32) bool { return i == id })
	if len(isr) == 0 {
		isr = s.ISR
	}
	leader := s.Leader
	if leader == id {
		leader = c.elect(isr)
	}
	c.decide(leader, isr)
}

func (c *cluster) unfence(id int32) {
	c.fenced[id] = false
	if s := c.now(); s.Leader == model.NoLeader {
		c.decide(c.elect(s.ISR), s.ISR)
	}
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
		c.decide(s.Leader, isr)
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
