package main

import (
	"context"
	"strconv"
	"time"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const epoch = 1_700_000_000_000 // the timestamp of the first record of positions

func positions(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{"retention.ms": "-1"})
	rs := numbered(t.Topic, 100)
	for i, r := range rs {
		r.Timestamp = time.UnixMilli(epoch + int64(i)*1000)
	}
	p := client(ctx, t, kgo.ProducerBatchMaxBytes(700))
	t.OK(send(ctx, p, rs...), "produce")
	first := func(o kgo.Offset) int64 { return read(ctx, t, 1, o)[0].Offset }
	t.Want("from start", first(kgo.NewOffset().AtStart()), 0)
	t.Want("from offset", first(kgo.NewOffset().At(40)), 40)
	t.Want("from timestamp", first(kgo.NewOffset().AfterMilli(epoch+60_500)), 61)
	a := admin(ctx, t)
	later, err := a.ListOffsetsAfterMilli(ctx, epoch+1_000_000, t.Topic)
	t.OK(err, "list offsets")
	t.Observe("after the last", later[t.Topic][0].Offset)
	most, err := a.ListMaxTimestampOffsets(ctx, t.Topic)
	t.OK(err, "list max timestamp")
	t.Observe("of max timestamp", most[t.Topic][0].Offset)

	end := client(ctx, t, kgo.ConsumeTopics(t.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
	beat, stop := context.WithTimeout(ctx, 700*time.Millisecond)
	t.Want("nothing yet", len(end.PollFetches(beat).Records()), 0)
	stop()
	t.OK(send(ctx, p, &kgo.Record{Topic: t.Topic, Value: []byte("last")}), "produce")
	t.Want("from end", poll(ctx, t, end, 1)[0].Offset, 100)
}

func commit(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	t.OK(send(ctx, client(ctx, t), numbered(t.Topic, 50)...), "produce")
	member := func() *kgo.Client {
		return client(ctx, t, kgo.ConsumerGroup(t.Topic), kgo.ConsumeTopics(t.Topic), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	}
	m := member()
	rs := poll(ctx, t, m, 10)
	t.Want("first", rs[0].Offset, 0)
	t.OK(m.CommitRecords(ctx, rs[9]), "commit")
	m.Close()
	m = member()
	t.Want("after commit", poll(ctx, t, m, 1)[0].Offset, 10)
	m.SetOffsets(map[string]map[int32]kgo.EpochOffset{t.Topic: {0: {Epoch: -1, Offset: 5}}})
	t.Want("after seek", poll(ctx, t, m, 1)[0].Offset, 5)
	m.Close()
	a := admin(ctx, t)
	os, err := a.FetchOffsets(ctx, t.Topic)
	t.OK(err, "fetch offsets")
	t.Observe("committed", os[t.Topic][0].At)
	t.OK(func() error { _, err := a.DeleteGroup(ctx, t.Topic); return err }(), "delete group")
	var gone kadm.DescribedGroups
	gone, err = a.DescribeGroups(ctx, t.Topic)
	t.OK(err, "describe")
	t.Observe("state of a deleted group", gone[t.Topic].State)
	t.Observe("code of a deleted group", code(gone[t.Topic].Err))
}

func compact(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{
		"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "100",
	})
	p := client(ctx, t)
	put := func(key, value string) {
		r := &kgo.Record{Topic: t.Topic, Key: []byte(key), Value: []byte(value)}
		if value == "" {
			r.Value = nil
		}
		t.OK(send(ctx, p, r), "produce")
	}
	for i := range 40 {
		put("k"+strconv.Itoa(i%4), strconv.Itoa(i))
	}
	put("k3", "")
	end := int64(41)
	for {
		time.Sleep(300 * time.Millisecond) // the next record rolls the segment: by then its time has passed
		put("tick", strconv.FormatInt(end, 10))
		end++
		kept, last := map[string]string{}, int64(-1)
		n := 0
		for last < end-1 {
			for _, r := range read(ctx, t, 1, kgo.NewOffset().At(last+1)) {
				if r.Offset <= last {
					t.Fatal("offset %d after %d", r.Offset, last)
				}
				n, last = n+1, r.Offset
				kept[string(r.Key)] = string(r.Value)
			}
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
