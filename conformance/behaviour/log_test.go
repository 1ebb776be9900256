package behaviour

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// all are the batches of partition 0 from its start.
func (c *conn) all(topic string) []kmsg.RecordBatch {
	c.t.Helper()
	var out []kmsg.RecordBatch
	for from := c.listOffset(7, topic, -2, -1).Offset; ; {
		p := c.fetch(topic, from)
		if p.ErrorCode != 0 {
			c.t.Fatalf("fetch %s from %d: %v", topic, from, kerr.ErrorForCode(p.ErrorCode))
		}
		got := batches(c, p.RecordBatches)
		if len(got) == 0 {
			return out
		}
		out = append(out, got...)
		last := got[len(got)-1]
		from = last.FirstOffset + int64(last.LastOffsetDelta) + 1
	}
}

// keyed is a batch of one record.
func keyed(key string, value []byte) *batch {
	b := newBatch()
	return b.add([]byte(key), value, b.FirstTimestamp)
}

// records are the offsets and keys of what is left in a topic, in order.
func (c *conn) records(topic string) (list []string) {
	c.t.Helper()
	for _, b := range c.all(topic) {
		raw := b.Records
		for range b.NumRecords {
			r := kmsg.NewRecord()
			if err := r.ReadFrom(raw); err != nil {
				c.t.Fatal(err)
			}
			one := itoa(int(b.FirstOffset)+int(r.OffsetDelta)) + "=" + string(r.Key)
			if r.Value == nil {
				one += "-"
			}
			list = append(list, one)
			raw = raw[len(r.AppendTo(nil)):]
		}
	}
	return list
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

func TestBehaviour045SegmentsRollByRecordTime(t *testing.T) {
	onNode(t, props{"log.retention.check.interval.ms": "60000"}, func(n *node) {
		c := n.dial()
		now := time.Now().Add(-2 * time.Hour).UnixMilli()
		for topic, length := range map[string]string{"minutes": "60000", "days": "86400000"} {
			c.create(topic, 1, "segment.ms", length, "retention.ms", "5400000")
			for _, at := range []int64{now, now + 30_000, now + 3600_000} { // all come at once
				b := newBatch()
				b.FirstTimestamp, b.MaxTimestamp = at, at
				c.must(topic, b.add(nil, nil, at))
			}
		}
		time.Sleep(2 * time.Minute)
		// The first two share a segment, which is out of time; the third has its own.
		same(t, "segments of a minute", c.listOffset(7, "minutes", -2, -1).Offset, 2)
		same(t, "segments of a day", c.listOffset(7, "days", -2, -1).Offset, 0)
	})
}

// compacted are the settings of a topic that is compacted as soon as may be.
var compacted = []string{"cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0", "segment.ms", "60000", "delete.retention.ms", "600000"}

func TestBehaviour070CompactionKeepsTheLast(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1, compacted...)
		c.must("t", keyed("a", []byte("1")), keyed("b", []byte("1")), keyed("a", []byte("2")), keyed("b", nil))
		time.Sleep(2 * time.Minute)
		c.must("t", keyed("c", []byte("1"))) // rolls the segment
		time.Sleep(3 * time.Minute)
		equal(t, "the last of each key, tombstones too", c.records("t"), "2=a", "3=b-", "4=c")
		time.Sleep(5 * time.Minute) // within ten minutes since the tombstone was seen
		c = n.dial()
		c.must("t", keyed("d", []byte("1")))
		equal(t, "before the horizon", c.records("t")[:2], "2=a", "3=b-")
		time.Sleep(5 * time.Minute)
		c = n.dial()
		c.must("t", keyed("e", []byte("1")))
		time.Sleep(5 * time.Minute)
		equal(t, "after the horizon", n.dial().records("t")[:2], "2=a", "4=c")
	})
}

func TestBehaviour071CompactionKeepsSequences(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1, compacted...)
		id := c.producer()
		c.must("t", keyed("a", []byte("1")).by(id, 0, 0), keyed("a", []byte("2")).by(id, 0, 1), keyed("a", []byte("3")))
		time.Sleep(2 * time.Minute)
		c.must("t", keyed("b", nil))
		time.Sleep(3 * time.Minute)
		equal(t, "records", c.records("t"), "2=a", "3=b-")
		all := c.all("t")
		if len(all) != 3 || all[0].FirstOffset != 1 || all[0].NumRecords != 0 || all[0].FirstSequence != 1 {
			t.Errorf("the producer's last batch is not kept empty: %+v", all)
		}
		c.must("t", keyed("z", nil).by(id, 0, 2)) // it may go on
	})
}

func TestBehaviour072WhatIsNotCompacted(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("active", 1, append(compacted, "segment.ms", "86400000")...)
		c.create("young", 1, append(compacted, "min.compaction.lag.ms", "3600000")...)
		for _, topic := range []string{"active", "young"} {
			c.must(topic, keyed("a", nil), keyed("a", nil))
		}
		time.Sleep(2 * time.Minute)
		c.must("young", keyed("b", nil))
		time.Sleep(5 * time.Minute)
		equal(t, "active segment", c.records("active"), "0=a-", "1=a-")
		equal(t, "younger than the lag", c.records("young"), "0=a-", "1=a-", "2=b-")
		time.Sleep(time.Hour)
		c = n.dial()
		c.must("young", keyed("c", nil))
		time.Sleep(5 * time.Minute)
		equal(t, "older than the lag", c.records("young"), "1=a-", "2=b-", "3=c-")
	})
}
