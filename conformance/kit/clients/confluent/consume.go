package main

import (
	"context"
	"strconv"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

const epoch = 1_700_000_000_000 // the timestamp of the first record of positions

func positions(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{"retention.ms": "-1"})
	ms := numbered(100)
	for i, m := range ms {
		m.Timestamp = time.UnixMilli(epoch + int64(i)*1000)
	}
	t.OK(send(t, ms, "batch.num.messages", "10"), "produce")
	first := func(from kafka.Offset) kafka.Offset { return read(ctx, t, 1, from)[0].TopicPartition.Offset }
	t.Want("from start", int64(first(kafka.OffsetBeginning)), 0)
	t.Want("from offset", int64(first(40)), 40)
	t.Want("the last five", int64(first(kafka.OffsetTail(5))), 95)
	c := consumer(ctx, t)
	defer c.Close()
	at := func(ms int64) int64 {
		ps, err := c.OffsetsForTimes([]kafka.TopicPartition{{Topic: &t.Topic, Partition: 0, Offset: kafka.Offset(ms)}}, 10_000)
		t.OK(err, "offsets for times")
		return int64(ps[0].Offset)
	}
	t.Want("from timestamp", at(epoch+60_500), 61)
	t.Observe("after the last", at(epoch+1_000_000))
	rs, err := admin(ctx, t).ListOffsets(ctx, map[kafka.TopicPartition]kafka.OffsetSpec{{Topic: &t.Topic, Partition: 0}: kafka.MaxTimestampOffsetSpec})
	t.OK(err, "list offsets")
	for _, r := range rs.ResultInfos {
		t.Observe("of max timestamp", []int64{int64(r.Offset), r.Timestamp})
	}
	t.OK(c.Assign([]kafka.TopicPartition{{Topic: &t.Topic, Partition: 0, Offset: kafka.OffsetEnd}}), "assign")
	for tries := 0; ; tries++ {
		t.OK(send(t, numbered(1)), "produce")
		if m, err := c.ReadMessage(500 * time.Millisecond); err == nil {
			t.Want("from end, at least 100", m.TopicPartition.Offset >= 100, true)
			return
		}
		if ctx.Err() != nil {
			t.Fatal("nothing came from the end")
		}
	}
}

func commit(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	t.OK(send(t, numbered(50)), "produce")
	c := consumer(ctx, t)
	t.OK(c.Subscribe(t.Topic, nil), "subscribe")
	for i, m := range poll(ctx, t, c, 10) {
		t.Want("offset", int64(m.TopicPartition.Offset), i)
	}
	note := "a note"
	_, err := c.CommitOffsets([]kafka.TopicPartition{{Topic: &t.Topic, Partition: 0, Offset: 10, Metadata: &note}})
	t.OK(err, "commit")
	t.OK(c.Close(), "close")
	c = consumer(ctx, t)
	t.OK(c.Subscribe(t.Topic, nil), "subscribe")
	t.Want("after commit", int64(poll(ctx, t, c, 1)[0].TopicPartition.Offset), 10)
	t.OK(c.Seek(kafka.TopicPartition{Topic: &t.Topic, Partition: 0, Offset: 5}, 5000), "seek")
	t.Want("after seek", int64(poll(ctx, t, c, 1)[0].TopicPartition.Offset), 5)
	os, err := c.Committed([]kafka.TopicPartition{{Topic: &t.Topic, Partition: 0}}, 10_000)
	t.OK(err, "committed")
	t.Observe("committed", strconv.FormatInt(int64(os[0].Offset), 10)+" "+*os[0].Metadata)
	t.OK(c.Close(), "close")
	a := admin(ctx, t)
	r, err := a.DeleteConsumerGroups(ctx, []string{t.Topic})
	t.OK(err, "delete group")
	t.Want("delete group", r.ConsumerGroupResults[0].Error.Code(), kafka.ErrNoError)
	r, err = a.DeleteConsumerGroups(ctx, []string{t.Topic})
	t.OK(err, "delete group")
	t.Observe("delete again", int(r.ConsumerGroupResults[0].Error.Code()))
}

func compact(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{
		"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "100",
	})
	put := func(key, value string) *kafka.Message {
		m := &kafka.Message{Key: []byte(key)}
		if value != "" {
			m.Value = []byte(value)
		}
		return m
	}
	var ms []*kafka.Message
	for i := range 40 {
		ms = append(ms, put("k"+strconv.Itoa(i%4), strconv.Itoa(i)))
	}
	t.OK(send(t, append(ms, put("k3", ""))), "produce")
	for end := int64(41); ; end++ {
		time.Sleep(300 * time.Millisecond) // the next record rolls the segment: by then its time has passed
		t.OK(send(t, []*kafka.Message{put("tick", strconv.FormatInt(end, 10))}), "produce")
		kept, n, next := map[string]string{}, 0, int64(0)
		c := consumer(ctx, t)
		t.OK(c.Assign([]kafka.TopicPartition{{Topic: &t.Topic, Partition: 0, Offset: kafka.OffsetBeginning}}), "assign")
		for ; next <= end; n++ {
			m := poll(ctx, t, c, 1)[0]
			if int64(m.TopicPartition.Offset) < next {
				t.Fatal("offset %d after %d", m.TopicPartition.Offset, next-1)
			}
			kept[string(m.Key)], next = string(m.Value), int64(m.TopicPartition.Offset)+1
		}
		t.OK(c.Close(), "close")
		t.Want("k0 k1 k2", kept["k0"]+kept["k1"]+kept["k2"], "363738")
		if _, there := kept["k3"]; n < 10 && !there {
			t.Observe("the tombstone went", true)
			return
		}
	}
}
