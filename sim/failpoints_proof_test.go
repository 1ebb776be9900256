//go:build failpoint && synctests

package sim

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/odradek/odradek/sim/history"
	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kgo"
)

// prove holds what the cluster has, after all, against what clients were told.
func (r *run) prove() {
	r.alive()
	if err := r.w.Settle(30 * time.Second); err != nil {
		r.t.Fatal(err)
	}
	for topic := range r.w.Image().Topics() {
		for i := range topic.Partitions {
			r.proveReplicas(model.TopicPartition{Topic: topic.Name, Partition: int32(i)})
		}
	}
	r.proveTransactions()
	r.proveOffsets()
}

// alive has every topic take one more record.
func (r *run) alive() {
	for _, t := range topics {
		r.must("write at last to "+t.name, func(ctx context.Context) error {
			c, who, seq := r.producer(), r.note.producer(), int64(0)
			defer c.Close()
			var key func(int64) []byte
			if t.name == table {
				key = func(int64) []byte { return []byte("last") }
			}
			return r.put(ctx, c, who, &seq, model.TopicPartition{Topic: t.name}, 1, 100, key)
		})
	}
}

// proveReplicas shows that all replicas of a partition have the same, and all that was
// acknowledged.
func (r *run) proveReplicas(tp model.TopicPartition) {
	_, p, _ := r.w.Image().Partition(tp.Topic, tp.Partition)
	var first copied
	for i, id := range p.Replicas {
		c, err := copyOf(r.w.Node(id), tp, i == 0 || compacted(tp.Topic))
		if err != nil {
			r.t.Errorf("%v on node %d: %v", tp, id, err)
			return
		}
		if i == 0 {
			first = c
		} else if why := c.differs(first, compacted(tp.Topic)); why != "" {
			r.t.Errorf("%v on nodes %d and %d: %s", tp, id, p.Replicas[0], why)
		}
		if c.at != nil {
			r.proveAcked(tp, id, c)
		}
	}
}

func compacted(topic string) bool {
	return topic == table || topic == model.ConsumerOffsetsTopic || topic == model.TransactionStateTopic || topic == model.ShareGroupStateTopic
}

// copied is what a replica has: the headers of its batches, which have checksums of the
// rest, and the records, if somebody wants to know.
type copied struct {
	start, hw int64
	heads     []byte
	at        map[int64]history.Value
	keys      map[int64]string
}

func copyOf(n *world.Node, tp model.TopicPartition, records bool) (c copied, err error) {
	replica, err := n.Broker().Replica(tp)
	if err != nil {
		return c, err
	}
	log, err := replica.Log()
	if err != nil {
		return c, err
	}
	c = copied{start: log.Start(), hw: replica.HighWatermark()}
	if records {
		c.at, c.keys = map[int64]history.Value{}, map[int64]string{}
	}
	for at := c.start; at < c.hw; {
		s, err := log.Read(at, c.hw, 1<<20, true)
		if err != nil {
			return c, fmt.Errorf("read at %d: %w", at, err)
		}
		b, err := s.ReadAll(nil)
		s.Release()
		if err != nil {
			return c, err
		}
		if len(b) == 0 {
			break // compaction took the rest
		}
		if at, err = c.take(b); err != nil {
			return c, err
		}
	}
	return c, nil
}

// take takes batches, and returns where they end.
func (c *copied) take(b []byte) (end int64, err error) {
	var rd record.Reader
	for batch, err := range commitlog.Batches(b) {
		if err != nil {
			return 0, err
		}
		end = batch.NextOffset()
		c.heads = append(c.heads, batch[:record.HeaderLen]...)
		if batch.Control() || c.at == nil {
			continue
		}
		if err := rd.Open(batch, record.Limits{}); err != nil {
			return 0, err
		}
		for rd.Next() {
			v, ok := history.ParseValue(rd.View.Value)
			if ok {
				c.at[rd.View.Offset] = v
			}
			c.keys[rd.View.Offset] = string(rd.View.Key)
		}
		err := rd.Err()
		rd.Close()
		if err != nil {
			return 0, err
		}
	}
	return end, nil
}

// differs tells in words where two replicas are not the same. Of what is compacted each has
// its own remains.
func (c copied) differs(other copied, compacted bool) string {
	if c.hw != other.hw {
		return fmt.Sprintf("high watermarks %d and %d", c.hw, other.hw)
	}
	if compacted {
		return ""
	}
	from := max(c.start, other.start)
	if !bytes.Equal(after(c.heads, from), after(other.heads, from)) {
		return fmt.Sprintf("they differ in [%d, %d)", from, c.hw)
	}
	return ""
}

// after are the headers of the batches that end above an offset.
func after(heads []byte, from int64) []byte {
	for len(heads) > 0 && record.Batch(heads).NextOffset() <= from {
		heads = heads[record.HeaderLen:]
	}
	return heads
}

func (r *run) proveAcked(tp model.TopicPartition, id int32, c copied) {
	n := r.note
	if tp.Topic == loose {
		return
	}
	if tp.Topic == table {
		r.proveKeys(tp, id, c)
		return
	}
	lost := 0
	for _, a := range n.acked[tp] {
		if a.Offset < n.trim[tp] || a.Offset < c.start && tp.Topic == trims {
			continue
		}
		if c.at[a.Offset] != a.Value {
			if lost++; lost < 4 {
				r.t.Errorf("%v on node %d: %v was acknowledged at %d, where %v is (start %d, high watermark %d)", tp, id, a.Value, a.Offset, c.at[a.Offset], c.start, c.hw)
			}
		}
	}
	if lost > 0 {
		r.t.Errorf("%v on node %d: %d of %d acknowledged records are lost", tp, id, lost, len(n.acked[tp]))
	}
	if tp.Topic == copies {
		return
	}
	last := map[int32]int64{}
	for _, offset := range sortedOffsets(c.at) {
		v := c.at[offset]
		if !n.tried[tp][v] {
			r.t.Errorf("%v on node %d: nobody wrote %v, which is at %d", tp, id, v, offset)
		}
		if was, ok := last[v.Producer()]; ok && v.Seq() <= was {
			r.t.Errorf("%v on node %d: %v at %d comes after #%d", tp, id, v, offset, was)
		}
		last[v.Producer()] = v.Seq()
	}
}

func sortedOffsets(at map[int64]history.Value) []int64 {
	all := make([]int64, 0, len(at))
	for o := range at {
		all = append(all, o)
	}
	slices.Sort(all)
	return all
}

// proveKeys shows that the last record of each key is there, or a later one.
func (r *run) proveKeys(tp model.TopicPartition, id int32, c copied) {
	newest := map[string]int64{}
	for offset, key := range c.keys {
		newest[key] = max(newest[key], offset+1)
	}
	want := map[string]history.Read{}
	for _, a := range r.note.acked[tp] {
		if key := r.note.keys[a.Value]; a.Offset >= want[key].Offset {
			want[key] = a
		}
	}
	for key, a := range want {
		if newest[key]-1 < a.Offset {
			r.t.Errorf("%v on node %d: %s was acknowledged as %v at %d, the newest is at %d", tp, id, key, a.Value, a.Offset, newest[key]-1)
		}
	}
}

// proveTransactions shows that each of them is there as a whole or not at all, and as its
// producer was told.
func (r *run) proveTransactions() {
	if len(r.note.txns) == 0 {
		return
	}
	_, p, _ := r.w.Image().Partition(copies, 0)
	replica, err := r.w.Node(p.Leader).Broker().Replica(model.TopicPartition{Topic: copies})
	if err != nil {
		r.t.Error(err)
		return
	}
	log, _ := replica.Log()
	marks, err := log.Marks(replica.HighWatermark())
	if err != nil || marks.Stable != replica.HighWatermark() {
		r.t.Errorf("%s: the last stable offset is %d of %d: %v", copies, marks.Stable, replica.HighWatermark(), err)
	}
	seen := r.readCommitted(replica.HighWatermark())
	for i, txn := range r.note.txns {
		have := 0
		for _, v := range txn.values {
			if seen[v] > 1 {
				r.t.Errorf("transaction %d: %v is there %d times", i, v, seen[v])
			}
			if seen[v] > 0 {
				have++
			}
		}
		switch {
		case have != 0 && have != len(txn.values):
			r.t.Errorf("transaction %d is torn: %d of %d records", i, have, len(txn.values))
		case txn.ended && txn.commit && have == 0:
			r.t.Errorf("transaction %d was committed and is not there", i)
		case have > 0 && !txn.commit:
			r.t.Errorf("transaction %d was to be aborted and is there", i)
		}
	}
}

func (r *run) readCommitted(end int64) map[history.Value]int {
	c := r.w.Client(kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{copies: {0: kgo.NewOffset().AtStart()}}))
	defer c.Close()
	seen := map[history.Value]int{}
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	for next := int64(0); next < end; {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			r.t.Errorf("%s: read to %d of %d", copies, next, end)
			break
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if v, ok := history.ParseValue(rec.Value); ok {
				seen[v]++
			}
			next = max(next, rec.Offset+1)
		})
	}
	return seen
}

// proveOffsets shows that no committed offset is lost.
func (r *run) proveOffsets() {
	for group, note := range r.note.offset {
		r.must("fetch offsets", func(ctx context.Context) error {
			answers, err := r.adm.FetchOffsets(ctx, group)
			if err != nil {
				return err
			}
			o, ok := answers.Lookup(orders, 0)
			if note.acked > 0 && !ok || ok && (o.At < note.acked || o.At > note.tried) {
				r.t.Errorf("group %s: offset %d was acknowledged, %d tried; it is %d, %v", group, note.acked, note.tried, o.At, ok)
			}
			return nil
		})
	}
}
