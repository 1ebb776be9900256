package api

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (d *desk) produce(acks int16) kmsg.ProduceResponseTopicPartition {
	d.t.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 5000
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: "a", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: batchOf(d.t, "v")}}}}
	return ask[*kmsg.ProduceResponse](d, 9, req).Topics[0].Partitions[0]
}

// acks=1 is answered when the record is on this broker's disk, acks=all when it is
// committed.
func TestAcks(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := serving(t, map[string][][]int32{"a": {{1, 2}}})
		if p := d.produce(1); p.ErrorCode != 0 || p.BaseOffset != 0 {
			t.Errorf("acks=1: %+v", p)
		}
		if p := d.produce(-1); p.ErrorCode != kerr.RequestTimedOut.Code {
			t.Errorf("acks=all without the follower: %+v", p)
		}
		h.held = true
		if p := d.produce(1); p.ErrorCode != kerr.RequestTimedOut.Code {
			t.Errorf("acks=1 without the disk: %+v", p)
		}
	})
}

// Behaviour 22: when too few replicas are left after the append, the producer hears of it.
func TestReplicasLostAfterAppend(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := serving(t, map[string][][]int32{"a": {{1, 2}}}, func(_ *desk, c *Config) { c.Host.(*replicas).safe = 2 })
		answer := make(chan kmsg.ProduceResponseTopicPartition, 1)
		go func() { answer <- d.produce(-1) }()
		synctest.Wait()
		h.change(d, 0, func(p *metadata.Partition) { p.ISR = []int32{1} })
		if p := <-answer; p.ErrorCode != kerr.NotEnoughReplicasAfterAppend.Code {
			t.Errorf("answer %+v", p)
		}
		if p := d.produce(-1); p.ErrorCode != kerr.NotEnoughReplicas.Code {
			t.Errorf("the next: %+v", p)
		}
	})
}

// Behaviour 24: while too few replicas are in sync nothing is committed (KIP-966).
func TestWatermarkRestsWhileTooFewAreInSync(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := serving(t, map[string][][]int32{"a": {{1, 2}}}, func(_ *desk, c *Config) { c.Host.(*replicas).safe = 2 })
		h.change(d, 0, func(p *metadata.Partition) { p.ISR = []int32{1} })
		if p := d.produce(1); p.ErrorCode != 0 {
			t.Errorf("acks=1: %+v", p)
		}
		want(t, "a consumer", d.follower(-1).fetch(at{"a", 0, 0}), "a-0 hw=0")
		f := d.follower(2)
		f.fetch(at{"a", 0, 0})
		want(t, "the follower has it", f.fetch(at{"a", 0, 1}), "")
		h.change(d, 0, func(p *metadata.Partition) { p.ISR = []int32{1, 2} })
		want(t, "and is in sync", d.follower(-1).fetch(at{"a", 0, 0}), "a-0 hw=1 records=1")
	})
}

// Behaviour 25: what is committed waits for a follower that is about to be in sync, for as
// long as it goes on fetching.
func TestWatermarkWaitsForWhoJoins(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := serving(t, map[string][][]int32{"a": {{1, 2}}})
		h.change(d, 0, func(p *metadata.Partition) { p.ISR = []int32{1} })
		h.list[model.TopicPartition{Topic: "a"}].Log() // the leader's epoch begins
		f := &fetcher{desk: &desk{t: t, feed: d.feed, conn: d.dial()}, node: 2, version: 12}
		f.fetch(at{"a", 0, 0})
		answer := make(chan kmsg.ProduceResponseTopicPartition, 1)
		go func() { answer <- d.produce(-1) }()
		synctest.Wait()
		if len(answer) > 0 {
			t.Fatalf("answered at once: %+v", <-answer)
		}
		f.fetch(at{"a", 0, 1})
		if p := <-answer; p.ErrorCode != 0 {
			t.Errorf("once it has the record: %+v", p)
		}
		began := time.Now()
		if p := d.produce(-1); p.ErrorCode != 0 || time.Since(began) == 0 || time.Since(began) > 2*time.Second {
			t.Errorf("without it: %+v after %v", p, time.Since(began))
		}
	})
}

// Behaviour 65: a new leader that does not know yet what was committed before it does not
// tell an end.
func TestEndIsNotToldTooEarly(t *testing.T) {
	d, h := serving(t, map[string][][]int32{"a": {{1, 2}}})
	h.append("a", 0, "x", "y")
	h.change(d, 0, func(p *metadata.Partition) { p.LeaderEpoch++ })
	list := func(version int16, replica int32) kmsg.ListOffsetsResponseTopicPartition {
		req := kmsg.NewPtrListOffsetsRequest()
		req.ReplicaID = replica
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Timestamp = model.OffsetLatest
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "a", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
		return ask[*kmsg.ListOffsetsResponse](d, version, req).Topics[0].Partitions[0]
	}
	if p := list(5, -1); p.ErrorCode != kerr.OffsetNotAvailable.Code {
		t.Errorf("answer %+v", p)
	}
	if p := list(4, -1); p.ErrorCode != kerr.LeaderNotAvailable.Code {
		t.Errorf("answer to an old client %+v", p)
	}
	if p := list(5, 2); p.ErrorCode != 0 || p.Offset != 2 {
		t.Errorf("answer to a follower %+v", p)
	}
	d.follower(2).fetch(at{"a", 0, 2})
	if p := list(5, -1); p.ErrorCode != 0 || p.Offset != 2 {
		t.Errorf("once it is known %+v", p)
	}
}

// Records are deleted when the followers that are alive have deleted them too.
func TestDeleteRecordsWaitsForFollowers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := serving(t, map[string][][]int32{"a": {{1, 2}}})
		h.append("a", 0, "x", "y", "z")
		f := &fetcher{desk: &desk{t: t, feed: d.feed, conn: d.dial()}, node: 2, version: 12}
		f.fetch(at{"a", 0, 0})
		f.fetch(at{"a", 0, 3})
		req := kmsg.NewPtrDeleteRecordsRequest()
		req.TimeoutMillis = 1000
		req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "a", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: 2}}}}
		answers := make(chan kmsg.DeleteRecordsResponseTopicPartition, 1)
		del := func() {
			go func() {
				answers <- ask[*kmsg.DeleteRecordsResponse](d, 2, req).Topics[0].Partitions[0]
			}()
			synctest.Wait()
		}
		del()
		fetched := f.request(at{"a", 0, 3})
		fetched.Topics[0].Partitions[0].LogStartOffset = 2
		f.answer(ask[*kmsg.FetchResponse](f.desk, f.version, fetched))
		if p := <-answers; p.ErrorCode != 0 || p.LowWatermark != 2 {
			t.Errorf("answer %+v", p)
		}
		req.Topics[0].Partitions[0].Offset = 3
		del()
		if p := <-answers; p.ErrorCode != kerr.RequestTimedOut.Code || p.LowWatermark != 2 {
			t.Errorf("answer without the follower %+v", p)
		}
		d.apply(metadata.ChangeBroker{ID: 2, Epoch: epochOf(d, 2), Fenced: true})
		h.change(d, 0, func(p *metadata.Partition) { p.ISR, p.ELR = []int32{1}, []int32{2} })
		del()
		if p := <-answers; p.ErrorCode != kerr.RequestTimedOut.Code || p.LowWatermark != 2 {
			t.Errorf("answer while it is away and may lead when it comes back %+v", p)
		}
		h.change(d, 0, func(p *metadata.Partition) { p.ELR = nil })
		del()
		if p := <-answers; p.ErrorCode != 0 || p.LowWatermark != 3 {
			t.Errorf("answer while it is away and may not %+v", p)
		}
	})
}

func epochOf(d *desk, id int32) int64 {
	b, _ := d.feed.Image().Broker(id)
	return b.Epoch
}
