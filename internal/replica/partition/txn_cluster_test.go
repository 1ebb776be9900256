package partition

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// txns are the transactional producers of a cluster's history, with a coordinator that
// never fails, and consumers that read what is committed.
type txns struct {
	version   int16 // transaction.version
	producers []*txnProducer
	of        map[string]*txn  // by batch
	late      []*lateWrite     // whose leave has come, but not the write
	at        map[int32]int64  // where the consumer of a node goes on
	seen      map[int64]string // what consumers saw, by base offset
}

// txn is one transaction on the partition.
type txn struct {
	records []*sent
	tainted bool // a write failed, and may yet be there
	ending  bool // it is decided
	commit  bool
	over    bool // a marker is committed
}

type txnProducer struct {
	id    int64
	epoch int16
	seq   int32
	now   *txn
}

type lateWrite struct {
	p     *txnProducer
	txn   *txn
	node  *node
	on    *Partition
	epoch int16
	seq   int32
	guard Guard
}

func newTxns(version int16) *txns {
	x := &txns{version: version, of: map[string]*txn{}, at: map[int32]int64{}, seen: map[int64]string{}}
	for id := range int64(3) {
		x.producers = append(x.producers, &txnProducer{id: 100 + id, now: &txn{}})
	}
	return x
}

// transactions goes on for a while with trouble that comes now and then: a transaction takes
// its time, and ends in nothing where it is disturbed.
func (c *cluster) transactions() {
	if c.txns == nil {
		return
	}
	trouble := c.mood
	for range 5 {
		c.heal()
		for range 150 {
			c.step()
			c.invariants()
		}
		c.mood = trouble
		for range 50 {
			c.step()
			c.invariants()
		}
	}
}

// transact has some producer do the next thing with a node that takes itself for the
// leader.
func (c *cluster) transact(n *node) {
	p := c.txns.producers[c.rng.IntN(len(c.txns.producers))]
	c.mu.Lock()
	over, ending := p.now.over, p.now.ending
	c.mu.Unlock()
	switch {
	case over:
		p.next(c.txns.version)
	case ending:
		c.mark(n, p)
	case c.rng.IntN(4) == 0:
		c.decideTxn(p)
	default:
		c.begin(n, p)
	}
}

// next begins another transaction, in the next epoch if the last one was ended in it.
func (p *txnProducer) next(version int16) {
	if version >= 2 || p.now.tainted {
		p.epoch, p.seq = p.epoch+1, 0
	}
	p.now = &txn{}
}

// decideTxn ends a transaction: it may commit if all of it is known to be written.
func (c *cluster) decideTxn(p *txnProducer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.now.ending || len(p.now.records) == 0 && !p.now.tainted {
		return
	}
	all := !slices.ContainsFunc(p.now.records, func(s *sent) bool { return !s.acked })
	if !all && !p.now.tainted && c.rng.IntN(20) > 0 {
		return // it waits
	}
	p.now.commit = all && !p.now.tainted && c.rng.IntN(3) > 0
	p.now.tainted = p.now.tainted || !all
	p.now.ending = true
	c.trace("producer %d.%d decides: commit %v", p.id, p.epoch, p.now.commit)
}

// mark sends the marker, once more perhaps.
func (c *cluster) mark(n *node, p *txnProducer) {
	t, epoch, version := p.now, p.epoch, c.txns.version
	if version >= 2 || t.tainted {
		epoch++
	}
	m := record.EndTxn(p.id, epoch, record.EndTxnMarker{Commit: t.commit}, time.Now().UnixMilli())
	end, leaderEpoch, err := n.p.AppendMarker(m, model.NoEpoch, version)
	c.trace("marker of %d.%d, commit %v, on node %d ends at %d in epoch %d: %v", p.id, epoch, t.commit, n.id, end, leaderEpoch, err)
	if err != nil {
		if !errors.Is(err, kerr.NotLeaderForPartition) && !errors.Is(err, kerr.NotEnoughReplicas) && !errors.Is(err, kerr.CorruptMessage) {
			c.t.Fatalf("node %d refuses the marker of %d.%d: %v", n.id, p.id, epoch, err)
		}
		return
	}
	part := n.p
	go func() {
		err := part.Wait(context.Background(), end, leaderEpoch)
		c.mu.Lock()
		defer c.mu.Unlock()
		t.over = t.over || err == nil
	}()
	if c.rng.IntN(2) == 0 {
		synctest.Wait()
	}
}

// begin writes, or has the write delayed after leave was given.
func (c *cluster) begin(n *node, p *txnProducer) {
	g, need, err := n.p.BeginTxn(p.id, p.epoch, p.seq, c.txns.version >= 2)
	if err != nil {
		c.trace("producer %d.%d cannot begin on node %d: %v", p.id, p.epoch, n.id, err)
		return
	}
	w := &lateWrite{p: p, txn: p.now, node: n, on: n.p, epoch: p.epoch, seq: p.seq, guard: g}
	if need && c.txns.version >= 2 && c.rng.IntN(4) == 0 {
		c.txns.late = append(c.txns.late, w)
		return
	}
	c.writeTxn(w)
}

// arrive has a delayed write come at last. If its transaction has ended it must not get
// in.
func (c *cluster) arrive() {
	if len(c.txns.late) == 0 {
		return
	}
	i := c.rng.IntN(len(c.txns.late))
	w := c.txns.late[i]
	c.txns.late = slices.Delete(c.txns.late, i, i+1)
	if !w.node.up || w.on != w.node.p {
		return
	}
	c.writeTxn(w)
}

func (c *cluster) writeTxn(w *lateWrite) {
	c.values++
	b := record.NewBuilder(record.BuilderConfig{ProducerID: w.p.id, ProducerEpoch: w.epoch, BaseSequence: w.seq, Transactional: true})
	value := fmt.Sprint("t", c.values)
	count := 1 + c.rng.IntN(3)
	for i := range count {
		b.Append(record.Record{Offset: int64(i), Timestamp: time.Now().UnixMilli(), Value: []byte(value)})
	}
	built, err := b.Build()
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := w.on.Append(built, AppendArgs{ProduceVersion: 12, Acks: AllInSync, Guard: w.guard})
	current := w.txn == w.p.now
	if err != nil {
		c.trace("write of %d.%d on node %d: %v", w.p.id, w.epoch, w.node.id, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(err, kerr.InvalidTxnState) || errors.Is(err, kerr.OutOfOrderSequenceNumber) || errors.Is(err, kerr.InvalidProducerEpoch) {
		if current && !w.txn.ending {
			w.txn.tainted = true // what was written before may be lost, or may come
		}
		return
	}
	if err != nil {
		return
	}
	c.trace("write [%d, %d) of %d.%d on node %d in epoch %d: %s", a.Base, a.End, w.p.id, w.epoch, w.node.id, a.Epoch, value)
	switch {
	case w.txn.over && c.txns.version >= 2:
		c.t.Fatalf("a write of %d.%d came after the end of its transaction, and got in at %d", w.p.id, w.epoch, a.Base)
	case a.Duplicate:
		w.txn.tainted = true // it is not known which one
		return
	}
	if current && w.seq == w.p.seq && w.epoch == w.p.epoch {
		w.p.seq += int32(count)
	}
	s := &sent{value: string(built), base: a.Base, end: a.End, epoch: a.Epoch, node: w.node.id}
	c.records = append(c.records, s)
	c.txns.of[s.value] = w.txn
	if w.txn.ending {
		// It is too late to be of use: nobody told the coordinator.
		w.txn.tainted = true
	} else {
		w.txn.records = append(w.txn.records, s)
	}
	go func() {
		err := w.on.Wait(context.Background(), s.end, s.epoch)
		c.mu.Lock()
		defer c.mu.Unlock()
		s.acked = err == nil
		w.txn.tainted = w.txn.tainted || err != nil && !w.txn.ending
	}()
}

// consume reads on in what is committed, from any replica.
func (c *cluster) consume(n *node) {
	for range 1 + c.rng.IntN(5) {
		if !c.consumeOne(n, 100+c.rng.IntN(2000)) {
			return
		}
	}
}

func (c *cluster) consumeOne(n *node, maxBytes int) bool {
	from := c.txns.at[n.id]
	r, err := n.p.Read(ReadArgs{From: from, MaxBytes: maxBytes, MinOne: true, Committed: true,
		AllowFollower: true, CurrentEpoch: model.NoEpoch, LastFetchedEpoch: model.NoEpoch})
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange) && from < r.Start:
		c.txns.at[n.id] = r.Start
		return true
	case err != nil || r.Len == 0:
		return false
	}
	defer r.Release()
	all, err := r.ReadAll(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if r.Aborted == nil || r.Next > r.Stable {
		c.t.Fatalf("node %d gave [%d, %d), aborted %v; stable is %d", n.id, from, r.Next, r.Aborted, r.Stable)
	}
	c.digest(n, all, r.Aborted)
	c.txns.at[n.id] = r.Next
	return true
}

// digest does what a consumer does, and compares what it sees with what was decided.
func (c *cluster) digest(n *node, batches []byte, aborted []Aborted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(aborted, func(a, b Aborted) int { return int(a.FirstOffset - b.FirstOffset) })
	skip := map[int64]bool{}
	for len(batches) > 0 {
		b, rest, err := record.Split(batches)
		if err != nil {
			c.t.Fatal(err)
		}
		batches = rest
		for len(aborted) > 0 && aborted[0].FirstOffset <= b.LastOffset() {
			skip[aborted[0].ProducerID] = true
			aborted = aborted[1:]
		}
		if b.Control() {
			if m, ok, _ := b.EndTxnMarker(); ok && !m.Commit {
				delete(skip, b.ProducerID())
			}
			continue
		}
		value := string(b)
		t := c.txns.of[value]
		seen := !b.Transactional() || !skip[b.ProducerID()]
		if b.Transactional() && (t == nil || !t.ending || t.commit != seen) {
			c.t.Fatalf("node %d shows the batch of %d.%d at %d: seen %v, of %+v", n.id, b.ProducerID(), b.ProducerEpoch(), b.BaseOffset(), seen, t)
		}
		if was, known := c.txns.seen[b.BaseOffset()]; known && seen && was != value {
			c.t.Fatalf("node %d shows another batch at %d than was seen there before", n.id, b.BaseOffset())
		}
		if seen {
			c.txns.seen[b.BaseOffset()] = value
		}
	}
}

// settle ends every transaction.
func (c *cluster) settle() {
	for _, p := range c.txns.producers {
		for try := 0; ; try++ {
			c.mu.Lock()
			over, idle := p.now.over, len(p.now.records) == 0 && !p.now.tainted && !p.now.ending
			c.mu.Unlock()
			if over || idle {
				break
			}
			if try > 50 {
				c.t.Fatalf("the transaction of %d.%d does not end: %+v", p.id, p.epoch, p.now)
			}
			c.decideTxn(p)
			c.with(leads, func(n *node) { c.mark(n, p) })
			c.heal()
		}
	}
}

// verifyTxns reads every replica from its start: all that was committed is seen, in order.
func (c *cluster) verifyTxns() {
	c.t.Helper()
	committed := 0
	for id := int32(1); id <= 3; id++ {
		n := c.nodes[id]
		o := c.marks(n)
		if o.Stable != o.HW || o.HW != o.End {
			c.t.Fatalf("node %d: transactions are over, and marks are %+v", id, o)
		}
		c.txns.at[id], c.txns.seen = o.Start, map[int64]string{}
		for c.consumeOne(n, 500) {
		}
		if at := c.txns.at[id]; at != o.Stable {
			c.t.Fatalf("node %d: consumer stands still at %d, stable is %d", id, at, o.Stable)
		}
		for _, s := range c.records {
			t := c.txns.of[s.value]
			if t == nil || !t.commit || !slices.Contains(t.records, s) || s.end <= o.Start {
				continue
			}
			if committed++; c.txns.seen[s.base] != s.value {
				c.t.Fatalf("node %d: the consumer did not see the committed batch at %d", id, s.base)
			}
		}
	}
	c.trace("%d committed batches seen", committed/3)
}
