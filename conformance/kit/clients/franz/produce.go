package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/twmb/franz-go/pkg/kgo"
)

// numbered returns n records whose values count from 0.
func numbered(topic string, n int) (rs []*kgo.Record) {
	for i := range n {
		rs = append(rs, &kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(i))})
	}
	return rs
}

func acks(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	for _, acks := range []kgo.Acks{kgo.NoAck(), kgo.LeaderAck(), kgo.AllISRAcks()} {
		c := client(ctx, t, kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite())
		t.OK(send(ctx, c, numbered(t.Topic, 30)...), "produce")
		read(ctx, t, 30, kgo.NewOffset().AtStart()) // what acks 0 sent may still be on its way
	}
	for i, r := range read(ctx, t, 90, kgo.NewOffset().AtStart()) {
		t.Want("value", string(r.Value), i%30)
		t.Want("offset", r.Offset, i)
	}
}

func codecs(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	list := []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	}
	text := strings.Repeat("the spool of thread ", 20)
	for _, codec := range list {
		var rs []*kgo.Record
		for i := range 50 {
			rs = append(rs, &kgo.Record{Topic: t.Topic, Value: []byte(text + strconv.Itoa(i))})
		}
		t.OK(send(ctx, client(ctx, t, kgo.ProducerBatchCompression(codec)), rs...), "produce")
	}
	seen := map[string]int{}
	for i, r := range read(ctx, t, 250, kgo.NewOffset().AtStart()) {
		t.Want("value", string(r.Value), text+strconv.Itoa(i%50))
		seen[[]string{"none", "gzip", "snappy", "lz4", "zstd"}[r.Attrs.CompressionType()]]++
	}
	t.Observe("read back", seen)
}

func headers(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	hs := []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}, {Key: "empty", Value: []byte{}}, {Key: "null"}, {Key: "é", Value: []byte{0, 255}}}
	t.OK(send(ctx, client(ctx, t), &kgo.Record{Topic: t.Topic, Value: []byte("v"), Headers: hs}), "produce")
	r := read(ctx, t, 1, kgo.NewOffset().AtStart())[0]
	var got []string
	for _, h := range r.Headers {
		got = append(got, fmt.Sprintf("%s=%q %v", h.Key, h.Value, h.Value == nil))
	}
	t.Want("headers", len(got), len(hs))
	t.Observe("headers", got)
}

func nulls(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	k, v := []byte("k"), []byte("v")
	rs := []*kgo.Record{{}, {Key: k}, {Value: v}, {Key: []byte{}, Value: []byte{}}, {Key: k, Value: v}}
	for _, r := range rs {
		r.Topic = t.Topic
	}
	t.OK(send(ctx, client(ctx, t), rs...), "produce")
	var got []string
	for i, r := range read(ctx, t, len(rs), kgo.NewOffset().AtStart()) {
		t.Want("null key", r.Key == nil, rs[i].Key == nil)
		t.Want("null value", r.Value == nil, rs[i].Value == nil)
		got = append(got, fmt.Sprintf("%q %v %q %v", r.Key, r.Key == nil, r.Value, r.Value == nil))
	}
	t.Observe("records", got)
}

func big(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	c := client(ctx, t, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(8<<20), kgo.MaxBufferedBytes(32<<20), kgo.BrokerMaxWriteBytes(16<<20))
	ok := make([]byte, 1_000_000)
	for i := range ok {
		ok[i] = byte(i * 7)
	}
	t.OK(send(ctx, c, &kgo.Record{Topic: t.Topic, Value: ok}), "produce 1,000,000 bytes")
	err := send(ctx, c, &kgo.Record{Topic: t.Topic, Value: make([]byte, 2<<20)})
	t.Want("code of 2 MiB", code(err), 10)
	got := read(ctx, t, 1, kgo.NewOffset().AtStart())[0].Value
	t.Want("same bytes", string(got) == string(ok), true)
}

func idempotent(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	c := client(ctx, t, kgo.SeedBrokers(strings.Split(t.Flaky, ",")...), kgo.ProducerBatchMaxBytes(1000), kgo.ClientID("franz-go"), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	t.OK(send(ctx, c, numbered(t.Topic, 1000)...), "produce")
	for i, r := range read(ctx, t, 1000, kgo.NewOffset().AtStart()) {
		t.Want("value", string(r.Value), i)
		t.Want("offset", r.Offset, i)
	}
	ends, err := admin(ctx, t).ListEndOffsets(ctx, t.Topic)
	t.OK(err, "end offset")
	t.Want("end", ends[t.Topic][0].Offset, 1000)
}
