package partition

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
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

// mood is how often what happens in a history, out of all of it: some are full of
// elections, some of crashes, in some the disks are slow or news come late.
type mood struct{ see, elect, crash, outage, slow int }

func newMood(rng *rand.Rand) mood {
	pick := func(of ...int) int { return of[rng.IntN(len(of))] }
	return mood{see: pick(60, 120, 300), elect: pick(2, 10, 40), crash: pick(1, 4, 15), outage: pick(0, 1, 4), slow: pick(1, 2, 4)}
}

func (c *cluster) step() {
	n := c.any(isUp)
	if n == nil {
		c.restart()
		return
	}
	actions := []struct {
		weight int
		do     func()
	}{
		{150, func() { c.with(leads, c.produce) }},
		{450, func() { c.with(follows, c.fetch) }},
		{80, func() { c.with(leads, c.propose) }},
		{c.mood.see, func() { c.see(n) }},
		{60, func() { n.hold(c.rng.IntN(5) < c.mood.slow); synctest.Wait() }},
		{20, n.checkpoint},
		{25, c.restart},
		{10, func() { _, _ = n.p.Tend(time.Now()) }},
		{8, func() { c.deleteRecords(n) }},
		{10, func() { c.unfence(n.id) }},
		{10, func() { time.Sleep(time.Duration(c.rng.IntN(1500)) * time.Millisecond) }},
		{c.mood.elect, c.move},
		{c.mood.elect / 4, func() { c.fence(n.id) }}, // falsely, perhaps: it lives, and will be told
		{c.mood.crash, func() { c.crash(n) }},
		{c.mood.outage, c.outage},
	}
	sum := 0
	for _, a := range actions {
		sum += a.weight
	}
	k := c.rng.IntN(sum)
	for _, a := range actions {
		if k -= a.weight; k < 0 {
			a.do()
			return
		}
	}
}

func (c *cluster) with(fits func(Role) bool, do func(*node)) {
	if n := c.any(fits); n != nil {
		do(n)
	}
}

// move gives the partition another leader of the ISR.
func (c *cluster) move() {
	if s := c.now(); s.Leader != model.NoLeader {
		c.decide(c.elect(s.ISR), s.ISR)
	}
}

// outage cuts the power of all that are up.
func (c *cluster) outage() {
	c.trace("power fails")
	for id := int32(1); id <= 3; id++ {
		if n := c.nodes[id]; n.up {
			n.crash(true)
		}
	}
}

// produce sends a batch to whoever takes itself for the leader.
func (c *cluster) produce(n *node) {
	c.values++
	cfg := record.BuilderConfig{}
	if c.rng.IntN(3) == 0 {
		cfg.ProducerID, cfg.ProducerEpoch, cfg.BaseSequence = 7, int16(c.values), 0
	}
	b := record.NewBuilder(cfg)
	value := fmt.Sprint("v", c.values)
	if c.rng.IntN(6) == 0 {
		value += fmt.Sprintf("%0*d", 400, 0)
	}
	for i := range 1 + c.rng.IntN(3) {
		b.Append(record.Record{Offset: int64(i), Timestamp: time.Now().UnixMilli(), Value: []byte(value)})
	}
	built, err := b.Build()
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := n.p.Append(built, 12, AllInSync)
	if err != nil {
		return
	}
	s := &sent{value: string(built), base: a.Base, end: a.End, epoch: a.Epoch, node: n.id}
	c.records = append(c.records, s)
	c.trace("produce [%d, %d) on node %d in epoch %d: %.5s", a.Base, a.End, n.id, a.Epoch, value)
	p := n.p
	go func() {
		err := p.Wait(context.Background(), s.end, s.epoch)
		c.mu.Lock()
		defer c.mu.Unlock()
		s.acked = err == nil
	}()
	if c.rng.IntN(2) == 0 {
		synctest.Wait()
	}
}

// fetch moves a fetch of a follower on, or begins one.
func (c *cluster) fetch(n *node) {
	epoch := n.p.Role().Epoch
	i := slices.IndexFunc(n.fetches, func(f *fetch) bool { return f.epoch == epoch })
	if len(n.fetches) > 0 && c.rng.IntN(4) == 0 {
		i = c.rng.IntN(len(n.fetches)) // one of an older epoch, perhaps
	}
	if i < 0 {
		c.ask(n)
		return
	}
	f := n.fetches[i]
	if !f.answered {
		c.answer(f)
		return
	}
	n.fetches = slices.Delete(n.fetches, i, i+1)
	if c.rng.IntN(1000) < 2*c.mood.crash || c.mood.crash > 1 && f.res.Diverging != nil && c.rng.IntN(3) == 0 {
		n.cutWithin(func() { c.take(n, f) })
		return
	}
	c.take(n, f)
	if c.rng.IntN(2) == 0 {
		synctest.Wait()
	}
}

func (c *cluster) ask(n *node) {
	r := n.p.Role()
	if r.Leader == model.NoLeader || r.Leading {
		return
	}
	from, last, start, err := n.p.FetchFrom()
	if err != nil {
		c.t.Fatalf("node %d: %v", n.id, err)
	}
	n.fetches = append(n.fetches, &fetch{epoch: r.Epoch, leader: r.Leader, ask: FollowerFetch{
		Node: n.id, BrokerEpoch: n.epoch, LogStart: start,
		ReadArgs: ReadArgs{From: from, MaxBytes: 200 + c.rng.IntN(1500), MinOne: true, CurrentEpoch: r.Epoch, LastFetchedEpoch: last},
	}})
}

func (c *cluster) answer(f *fetch) {
	l := c.nodes[f.leader]
	f.answered = true
	if !l.up || c.rng.IntN(20) == 0 {
		f.err = errors.New("connection lost")
		return
	}
	f.res, f.err = l.p.ReadAsFollower(f.ask)
	if f.err != nil {
		return
	}
	defer f.res.Release()
	var err error
	if f.batches, err = f.res.ReadAll(nil); err != nil {
		c.t.Fatal(err)
	}
	if c.rng.IntN(20) == 0 {
		f.err = errors.New("connection lost")
	}
}

func (c *cluster) take(n *node, f *fetch) {
	switch {
	case errors.Is(f.err, kerr.OffsetOutOfRange) && f.ask.From < f.res.Start:
		err := n.p.Restart(f.epoch, f.res.Start)
		c.trace("node %d begins anew at %d in epoch %d: %v; %+v", n.id, f.res.Start, f.epoch, err, c.marks(n))
		c.check(err)
	case f.err != nil:
	case f.res.Diverging != nil:
		err := n.p.Truncate(f.epoch, *f.res.Diverging)
		c.trace("node %d truncates to %+v in epoch %d: %v; %+v", n.id, *f.res.Diverging, f.epoch, err, c.marks(n))
		c.check(err)
	default:
		end, err := n.p.AppendFetched(f.epoch, f.batches, f.res.HW, f.res.Start)
		c.trace("node %d has fetched from %d at %d in epoch %d: %d bytes, hw %d: end %d, %v; %+v", n.id, f.leader, f.ask.From, f.epoch, len(f.batches), f.res.HW, end, err, c.marks(n))
		c.check(err)
	}
}

// check allows a follower only to be told that its epoch is over.
func (c *cluster) check(err error) {
	c.t.Helper()
	if err != nil && !errors.Is(err, kerr.FencedLeaderEpoch) && !errors.Is(err, ErrInSync) {
		c.t.Fatalf("a follower: %v", err)
	}
}

// propose has a leader propose, the controller decide or the leader hear, each in its
// time; words get lost.
func (c *cluster) propose(n *node) {
	if len(c.asked) > 0 && c.rng.IntN(3) > 0 {
		a := &c.asked[0]
		if !a.answered {
			c.alter(a)
			return
		}
		if c.rng.IntN(8) == 0 {
			a.state, a.err = nil, kerr.RequestTimedOut
		}
		a.p.Answered(a.pr, a.state, a.err)
		c.asked = c.asked[1:]
		return
	}
	if pr, ok := n.p.Propose(time.Now(), 2*time.Second, c.alive); ok {
		c.trace("node %d proposes %+v", n.id, pr)
		if c.rng.IntN(8) == 0 {
			n.p.Answered(pr, nil, kerr.RequestTimedOut) // the controller may hear of it later
		}
		c.asked = append(c.asked, asked{p: n.p, node: n.id, epoch: n.epoch, pr: pr})
	}
}

func (c *cluster) crash(n *node) {
	switch c.rng.IntN(4) {
	case 0:
		c.trace("node %d is stopped", n.id)
		n.end()
	case 1:
		c.trace("node %d is killed", n.id)
		n.crash(false)
	default:
		c.trace("node %d loses power", n.id)
		n.crash(true)
	}
	if c.rng.IntN(2) == 0 {
		c.fence(n.id)
	}
}

func (c *cluster) restart() {
	for _, i := range c.rng.Perm(3) {
		id := int32(i + 1)
		n := c.nodes[id]
		if n.up || c.rng.IntN(2) == 0 {
			continue
		}
		n.start()
		c.fence(id)
		c.register(n)
		c.trace("node %d is back", id)
		if c.rng.IntN(2) == 0 {
			c.unfence(id)
		}
		c.see(n)
	}
}

func (c *cluster) deleteRecords(n *node) {
	hw := n.p.HighWatermark()
	start, err := n.p.DeleteRecords(hw - int64(c.rng.IntN(10)))
	if err != nil {
		return
	}
	c.start = max(c.start, start)
	n.checkpoint()
	c.trace("records are deleted on node %d before %d", n.id, start)
}

// invariants hold at any time.
func (c *cluster) invariants() {
	c.t.Helper()
	for id := int32(1); id <= 3; id++ {
		n := c.nodes[id]
		if len(n.broken) > 0 {
			c.t.Fatalf("node %d is broken: %v", id, n.broken)
		}
		if !n.up {
			continue
		}
		o, r := c.marks(n), n.p.Role()
		if d := n.p.DurableEnd(); o.Start > o.HW || o.HW > d || d > o.End {
			c.t.Fatalf("node %d: start %d, hw %d, durable %d, end %d", id, o.Start, o.HW, d, o.End)
		}
		if life := fmt.Sprint(id, n.epoch, r.Epoch); r.Leading {
			if o.HW < c.led[life] {
				c.t.Fatalf("node %d: hw fell from %d to %d while leading in epoch %d", id, c.led[life], o.HW, r.Epoch)
			}
			c.led[life] = o.HW
		}
		for other := int32(1); other < id; other++ {
			if m := c.nodes[other]; m.up {
				c.same(n, m)
			}
		}
	}
}

// same compares two replicas below the high watermarks of both.
func (c *cluster) same(n, m *node) {
	c.t.Helper()
	limit := min(n.p.HighWatermark(), m.p.HighWatermark())
	from := max(c.marks(n).Start, c.marks(m).Start)
	a, b := n.batches(limit), m.batches(limit)
	for _, pair := range [][2]map[int64]string{{a, b}, {b, a}} {
		for at, batch := range pair[0] {
			if at >= from && pair[1][at] != batch {
				c.t.Fatalf("nodes %d and %d differ at %d, below %d\n%v\n%v", n.id, m.id, at, limit, n.values(), m.values())
			}
		}
	}
}

// heal brings everybody back and waits until they agree.
func (c *cluster) heal() {
	c.trace("heal")
	c.mood = mood{} // no more trouble
	for range 200 {
		for id := int32(1); id <= 3; id++ {
			n := c.nodes[id]
			for !n.up {
				c.restart()
			}
			if n.hold(false); c.fenced[id] {
				c.unfence(id)
			}
			for n.at < len(c.states)-1 {
				c.see(n)
			}
			c.fetch(n)
			c.propose(n)
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if c.whole() {
			return
		}
	}
	for id := int32(1); id <= 3; id++ {
		n := c.nodes[id]
		c.t.Logf("node %d: %+v, role %+v, %+v", id, c.marks(n), n.p.Role(), n.p.Followers())
	}
	c.t.Fatalf("it does not become whole: %+v", c.now())
}

func (c *cluster) whole() bool {
	l := c.nodes[c.now().Leader]
	if l == nil || len(c.now().ISR) < 3 {
		return false
	}
	for id := int32(1); id <= 3; id++ {
		if o := c.marks(c.nodes[id]); o.HW != o.End || o.End != c.marks(l).End {
			return false
		}
	}
	return true
}

// verify looks for every acknowledged record on every replica.
func (c *cluster) verify() {
	c.t.Helper()
	acked := 0
	for id := int32(1); id <= 3; id++ {
		n := c.nodes[id]
		all := n.batches(1 << 62)
		for _, s := range c.records {
			if !s.acked || s.end <= c.marks(n).Start {
				continue
			}
			acked++
			if got := all[s.base]; got != s.value {
				c.t.Fatalf("node %d has lost [%d, %d), acknowledged by node %d in epoch %d: it has %d bytes there\n%v", id, s.base, s.end, s.node, s.epoch, len(got), n.values())
			}
		}
		if start := c.marks(n).Start; start < c.start {
			c.t.Logf("node %d starts at %d, deleted before %d", id, start, c.start)
		}
	}
	c.trace("%d of %d records acknowledged, times three", acked, len(c.records))
	first := c.producers(1)
	for id := int32(2); id <= 3; id++ {
		if list := c.producers(id); !slices.Equal(first, list) {
			c.t.Fatalf("node 1 knows the producers %+v, node %d %+v", first, id, list)
		}
	}
}

// producers are those that a node knows by records that every node has.
func (c *cluster) producers(id int32) []producers.Entry {
	list, err := c.nodes[id].p.Producers()
	if err != nil {
		c.t.Fatal(err)
	}
	start := int64(0)
	for _, n := range c.nodes {
		start = max(start, c.marks(n).Start)
	}
	return slices.DeleteFunc(list, func(e producers.Entry) bool { return e.LastOffset < start })
}

func (c *cluster) close() {
	for id := int32(1); id <= 3; id++ {
		c.nodes[id].end()
	}
}

// Random histories of three replicas: appends, fetches in pieces, changes of leader, of
// the ISR and of what nodes know of them, slow disks, kills, power cuts, false fencing,
// lost words. What is acknowledged stays, replicas agree on what they say is committed,
// and in the end they are whole.
//
//	go test ./internal/replica/partition -run Replicas/seed=7 -tell -v
func TestReplicas(t *testing.T) {
	seeds := 120
	if testing.Short() {
		seeds = 12
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, seed)
				for range 1000 {
					c.step()
					c.invariants()
				}
				c.heal()
				c.invariants()
				c.verify()
				c.close()
			})
		})
	}
}
