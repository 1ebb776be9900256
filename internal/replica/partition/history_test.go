package partition

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Random histories of three replicas: appends, fetches in pieces, changes of leader, of
// the ISR and of what nodes know of them, rot, slow disks, kills, power cuts, false fencing,
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
			bubble.Test(t, func(t *testing.T) {
				c := newCluster(t, seed)
				if seed%12 == 1 {
					c.txns = newTxns(int16(1 + seed/12%2))
				}
				for range 1000 {
					c.step()
					c.invariants()
				}
				c.transactions()
				c.heal()
				if c.txns != nil {
					c.settle()
					c.verifyTxns()
				}
				c.invariants()
				c.verify()
				c.close()
			})
		})
	}
}

// mood is how often what happens in a history, out of all of it: some are full of
// elections, some of crashes, in some the disks are slow or news come late.
type mood struct{ see, elect, crash, outage, slow, rot int }

func newMood(rng *rand.Rand) mood {
	pick := func(of ...int) int { return of[rng.IntN(len(of))] }
	return mood{see: pick(60, 120, 300), elect: pick(2, 10, 40), crash: pick(1, 4, 15), outage: pick(0, 1, 4), slow: pick(1, 2, 4), rot: pick(0, 2, 10)}
}

func (c *cluster) step() {
	n := c.any(isUp)
	if n == nil {
		c.restart()
		return
	}
	type action struct {
		weight int
		do     func()
	}
	actions := []action{
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
		{c.mood.rot, func() { c.rot(n) }},
		{4 * c.mood.rot, func() { c.mend(n) }},
		{4 * c.mood.rot, c.report},
	}
	if c.txns != nil {
		actions = append(actions, []action{
			{250, func() { c.with(leads, c.transact) }},
			{20, c.arrive},
			{80, func() { c.consume(n) }},
		}...)
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
		c.decide(s.ISR, true)
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
	a, err := n.p.Append(built, AppendArgs{ProduceVersion: 12, Acks: AllInSync})
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
	case errors.Is(f.err, kerr.OffsetOutOfRange):
		c.check(n.p.Truncate(f.epoch, EpochEnd{Epoch: model.NoEpoch, End: f.res.End}))
	case f.err != nil:
	case f.res.Diverging != nil:
		err := n.p.Truncate(f.epoch, *f.res.Diverging)
		c.trace("node %d truncates to %+v in epoch %d: %v; %+v", n.id, *f.res.Diverging, f.epoch, err, c.marks(n))
		c.check(err)
	default:
		end, err := n.p.AppendFetched(f.epoch, f.batches, f.res.HW)
		if err == nil {
			err = n.p.FollowStart(f.epoch, f.res.Start)
		}
		c.trace("node %d has fetched from %d at %d in epoch %d: %d bytes, hw %d: end %d, %v; %+v", n.id, f.leader, f.ask.From, f.epoch, len(f.batches), f.res.HW, end, err, c.marks(n))
		c.check(err)
	}
}

// check allows a follower only to be told that its epoch is over.
func (c *cluster) check(err error) {
	c.t.Helper()
	if err != nil && !errors.Is(err, kerr.FencedLeaderEpoch) && !errors.Is(err, ErrRotten) {
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
