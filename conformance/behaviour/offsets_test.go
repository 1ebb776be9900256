package behaviour

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func deleteRecordsRequest(topic string, before int64) *kmsg.DeleteRecordsRequest {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 5000
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic = topic
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Offset = before
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func (c *conn) deleteRecords(topic string, before int64) kmsg.DeleteRecordsResponseTopicPartition {
	c.t.Helper()
	return ask[*kmsg.DeleteRecordsResponse](c, 2, deleteRecordsRequest(topic, before)).Topics[0].Partitions[0]
}

func listRequest(topic string, timestamps ...int64) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for _, ts := range timestamps {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Timestamp = ts
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func (c *conn) listOffset(version int16, topic string, timestamp int64, epoch int32) kmsg.ListOffsetsResponseTopicPartition {
	c.t.Helper()
	req := listRequest(topic, timestamp)
	req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
	return ask[*kmsg.ListOffsetsResponse](c, version, req).Topics[0].Partitions[0]
}

func TestBehaviour064SpecialOffsets(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		now := time.Now().UnixMilli()
		same(t, "greatest time of nothing", c.listOffset(11, "t", -3, -1).Offset, -1)
		same(t, "time in nothing", c.listOffset(11, "t", 0, -1).Offset, -1)
		b := newBatch()
		b.add(nil, []byte("0"), now).add(nil, []byte("1"), now+500).add(nil, []byte("2"), now+300)
		c.must("t", b, newBatch("3"), newBatch("4"))
		c.deleteRecords("t", 1)
		for _, w := range []struct {
			what                string
			spec, offset, stamp int64
			epoch               int32
		}{
			{"latest", -1, 5, -1, 0},
			{"earliest", -2, 1, -1, 0},
			{"greatest time", -3, 1, now + 500, 0},
			{"earliest here", -4, 1, -1, 0},
			{"latest tiered", -5, -1, -1, -1},
			{"earliest pending upload", -6, -1, -1, -1},
			{"by time", now + 200, 1, now + 500, 0},
			{"by a later time", now + 501, -1, -1, -1},
			{"before the log start", 0, 1, now + 500, 0},
		} {
			p := c.listOffset(11, "t", w.spec, -1)
			expect(t, w.what, p.ErrorCode, nil)
			same(t, w.what+", offset", p.Offset, w.offset)
			same(t, w.what+", time", p.Timestamp, w.stamp)
			same(t, w.what+", epoch", p.LeaderEpoch, w.epoch)
		}
		for spec, first := range map[int64]int16{-3: 7, -4: 8, -5: 9, -6: 11} {
			expect(t, "before its version", c.listOffset(first-1, "t", spec, -1).ErrorCode, kerr.UnsupportedVersion)
			expect(t, "in its version", c.listOffset(first, "t", spec, -1).ErrorCode, nil)
		}
		expect(t, "unknown special", c.listOffset(11, "t", -7, -1).ErrorCode, kerr.UnsupportedVersion)
		expect(t, "unknown topic", c.listOffset(11, "nowhere", -1, -1).ErrorCode, kerr.UnknownTopicOrPartition)
	})
}

func TestBehaviour066PartitionsAreListedOnce(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		for _, p := range ask[*kmsg.ListOffsetsResponse](c, 7, listRequest("t", -1, -2)).Topics[0].Partitions {
			expect(t, "repeated partition", p.ErrorCode, kerr.InvalidRequest)
		}
	})
}

func TestBehaviour067DeleteRecords(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		c.create("compacted", 1, "cleanup.policy", "compact")
		c.create("both", 1, "cleanup.policy", "compact,delete")
		c.must("t", newBatch("0", "1", "2"), newBatch("3"))
		p := c.deleteRecords("t", 2)
		expect(t, "inside a batch", p.ErrorCode, nil)
		same(t, "low watermark", p.LowWatermark, 2)
		expect(t, "beyond the end", c.deleteRecords("t", 5).ErrorCode, kerr.OffsetOutOfRange)
		same(t, "low watermark of an error", c.deleteRecords("t", 5).LowWatermark, -1)
		expect(t, "less than nothing", c.deleteRecords("t", -2).ErrorCode, kerr.OffsetOutOfRange)
		same(t, "below the start", c.deleteRecords("t", 1).LowWatermark, 2)
		same(t, "up to the high watermark", c.deleteRecords("t", -1).LowWatermark, 4)
		same(t, "earliest", c.listOffset(7, "t", -2, -1).Offset, 4)
		expect(t, "compacted", c.deleteRecords("compacted", 0).ErrorCode, kerr.PolicyViolation)
		expect(t, "compacted and deleted", c.deleteRecords("both", 0).ErrorCode, nil)
		expect(t, "unknown", c.deleteRecords("nowhere", 0).ErrorCode, kerr.UnknownTopicOrPartition)
	})
}

func TestBehaviour068Retention(t *testing.T) {
	onNode(t, props{"log.retention.check.interval.ms": "60000"}, func(n *node) {
		c := n.dial()
		c.create("time", 1, "retention.ms", "3600000", "segment.ms", "600000")
		c.create("size", 1, "retention.bytes", "2500000", "segment.bytes", "1048576", "max.message.bytes", "1048576")
		c.create("kept", 1, "cleanup.policy", "", "retention.ms", "1000", "segment.ms", "1000")
		earliest := func(topic string) int64 { return n.dial().listOffset(7, topic, -2, -1).Offset }
		for range 3 {
			c = n.dial()
			c.must("time", newBatch("x"))
			c.must("kept", newBatch("x"))
			time.Sleep(11 * time.Minute)
		}
		same(t, "before its time", earliest("time"), 0)
		time.Sleep(30 * time.Minute) // the first record is 63 minutes old
		same(t, "first segment is out of time", earliest("time"), 1)
		time.Sleep(2 * time.Hour)
		same(t, "all are, the last segment too", earliest("time"), 3)
		same(t, "no policy at all (behaviour 69)", earliest("kept"), 0)
		c = n.dial()
		for range 8 { // two fit a segment
			c.must("size", newBatch(string(make([]byte, 500_000))))
		}
		time.Sleep(2 * time.Minute)
		same(t, "whole segments above the size", earliest("size"), 2)
	})
}

func TestBehaviour069NoPolicyKeepsForEver(t *testing.T) {
	onNode(t, props{"log.retention.check.interval.ms": "60000"}, func(n *node) {
		c := n.dial()
		c.create("t", 1, "cleanup.policy", "", "retention.ms", "1000", "retention.bytes", "1", "segment.ms", "1000")
		c.must("t", newBatch("x"))
		time.Sleep(time.Hour)
		c = n.dial()
		c.must("t", newBatch("y"))
		time.Sleep(time.Hour)
		same(t, "earliest", n.dial().listOffset(7, "t", -2, -1).Offset, 0)
	})
}
