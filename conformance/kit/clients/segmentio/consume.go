package main

import (
	"context"
	"strconv"
	"time"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/segmentio/kafka-go"
)

const epoch = 1_700_000_000_000 // the timestamp of the first record of positions

func positions(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{"retention.ms": "-1"})
	ms := numbered(100)
	for i := range ms {
		ms[i].Time = time.UnixMilli(epoch + int64(i)*1000)
	}
	w := writer(ctx, t, func(w *kafka.Writer) { w.BatchSize = 10 })
	t.OK(w.WriteMessages(ctx, ms...), "produce")
	t.Want("from start", read(ctx, t, 1, kafka.FirstOffset)[0].Offset, 0)
	t.Want("from offset", read(ctx, t, 1, 40)[0].Offset, 40)
	r := reader(t, 0)
	t.OK(r.SetOffsetAt(ctx, time.UnixMilli(epoch+60_500)), "seek to a time")
	m, err := r.ReadMessage(ctx)
	t.OK(err, "read")
	t.Want("from timestamp", m.Offset, 61)
	t.OK(r.Close(), "close")
	r = reader(t, 0)
	defer r.Close()
	t.OK(r.SetOffset(kafka.LastOffset), "seek to the end")
	done := make(chan int64, 1)
	go func() {
		m, _ := r.ReadMessage(ctx)
		done <- m.Offset
	}()
	for {
		select {
		case o := <-done:
			t.Want("from end, at least 100", o >= 100, true)
			return
		case <-time.After(300 * time.Millisecond): // until the reader is there
			t.OK(w.WriteMessages(ctx, kafka.Message{Value: []byte("last")}), "produce")
		}
	}
}

func commit(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	t.OK(writer(ctx, t, nil).WriteMessages(ctx, numbered(50)...), "produce")
	m := member(t)
	for i := range 10 {
		msg, err := m.FetchMessage(ctx)
		t.OK(err, "fetch")
		t.Want("offset", msg.Offset, i)
		if i == 9 {
			t.OK(m.CommitMessages(ctx, msg), "commit")
		}
	}
	t.OK(m.Close(), "close")
	m = member(t)
	msg, err := m.FetchMessage(ctx)
	t.OK(err, "fetch")
	t.Want("after commit", msg.Offset, 10)
	t.OK(m.Close(), "close")
	r, err := client(t).OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: t.Topic, Topics: map[string][]int{t.Topic: {0}}})
	t.OK(err, "fetch offsets")
	t.Observe("committed", r.Topics[t.Topic][0].CommittedOffset)
	d, err := client(t).DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{t.Topic}})
	t.OK(err, "delete group")
	t.OK(d.Errors[t.Topic], "delete group")
	g, err := client(t).DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{t.Topic}})
	t.OK(err, "describe")
	t.Observe("state of a deleted group", g.Groups[0].GroupState)
	t.Note("no seek: kafka-go's group reader has none")
}

func compact(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{
		"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "100",
	})
	w := writer(ctx, t, nil)
	put := func(key, value string) {
		m := kafka.Message{Key: []byte(key)}
		if value != "" {
			m.Value = []byte(value)
		}
		t.OK(w.WriteMessages(ctx, m), "produce")
	}
	for i := range 40 {
		put("k"+strconv.Itoa(i%4), strconv.Itoa(i))
	}
	put("k3", "")
	for end := int64(41); ; end++ {
		time.Sleep(300 * time.Millisecond) // the next record rolls the segment: by then its time has passed
		put("tick", strconv.FormatInt(end, 10))
		kept, n, next := map[string]string{}, 0, int64(0)
		for r := reader(t, 0); next <= end; n++ {
			m, err := r.ReadMessage(ctx)
			t.OK(err, "read")
			if m.Offset < next {
				t.Fatal("offset %d after %d", m.Offset, next-1)
			}
			kept[string(m.Key)], next = string(m.Value), m.Offset+1
		}
		t.Want("k0", kept["k0"], 36)
		t.Want("k1", kept["k1"], 37)
		t.Want("k2", kept["k2"], 38)
		if _, there := kept["k3"]; n < 10 && !there {
			t.Observe("the tombstone went", true)
			return
		}
	}
}
