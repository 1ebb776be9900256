package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

func acks(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	for _, acks := range []string{"0", "1", "all"} {
		t.OK(send(t, numbered(30), "acks", acks), "produce with acks "+acks)
		read(ctx, t, 30, kafka.OffsetBeginning) // what acks 0 sent may still be on its way
	}
	for i, m := range read(ctx, t, 90, kafka.OffsetBeginning) {
		t.Want("value", string(m.Value), i%30)
		t.Want("offset", int64(m.TopicPartition.Offset), i)
	}
}

func codecs(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	text := strings.Repeat("the spool of thread ", 20)
	list := []string{"none", "gzip", "snappy", "lz4", "zstd"}
	for _, codec := range list {
		ms := numbered(50)
		for i, m := range ms {
			m.Value = []byte(text + strconv.Itoa(i))
		}
		t.OK(send(t, ms, "compression.codec", codec), "produce "+codec)
	}
	for i, m := range read(ctx, t, 250, kafka.OffsetBeginning) {
		t.Want("value", string(m.Value), text+strconv.Itoa(i%50))
	}
	t.Observe("read back", list)
}

func headers(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	hs := []kafka.Header{
		{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")},
		{Key: "empty", Value: []byte{}}, {Key: "null"}, {Key: "é", Value: []byte{0, 255}},
	}
	t.OK(send(t, []*kafka.Message{{Value: []byte("v"), Headers: hs}}), "produce")
	var got []string
	for _, h := range read(ctx, t, 1, kafka.OffsetBeginning)[0].Headers {
		got = append(got, fmt.Sprintf("%s=%q %v", h.Key, h.Value, h.Value == nil))
	}
	t.Want("headers", len(got), len(hs))
	t.Observe("headers", got)
}

func nulls(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	k, v := []byte("k"), []byte("v")
	ms := []*kafka.Message{{}, {Key: k}, {Value: v}, {Key: []byte{}, Value: []byte{}}, {Key: k, Value: v}}
	t.OK(send(t, ms), "produce")
	var got []string
	for _, m := range read(ctx, t, len(ms), kafka.OffsetBeginning) {
		got = append(got, fmt.Sprintf("%q %v %q %v", m.Key, m.Key == nil, m.Value, m.Value == nil))
	}
	t.Observe("records", got)
}

func big(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	ok := make([]byte, 1_000_000)
	for i := range ok {
		ok[i] = byte(i * 7)
	}
	t.OK(send(t, []*kafka.Message{{Value: ok}}, "message.max.bytes", "8000000"), "produce 1,000,000 bytes")
	err := send(t, []*kafka.Message{{Value: make([]byte, 2<<20)}}, "message.max.bytes", "8000000")
	t.Want("code of 2 MiB", code(err), 10)
	got := read(ctx, t, 1, kafka.OffsetBeginning)[0].Value
	t.Want("same bytes", string(got) == string(ok), true)
}

func idempotent(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	err := send(t, numbered(1000), "bootstrap.servers", t.Flaky, "enable.idempotence", "true", "batch.num.messages", "20",
		"retry.backoff.ms", "20", "reconnect.backoff.ms", "10", "reconnect.backoff.max.ms", "50")
	t.OK(err, "produce")
	for i, m := range read(ctx, t, 1000, kafka.OffsetBeginning) {
		t.Want("value", string(m.Value), i)
		t.Want("offset", int64(m.TopicPartition.Offset), i)
	}
	c := consumer(ctx, t)
	defer c.Close()
	_, high, err := c.QueryWatermarkOffsets(t.Topic, 0, 10_000)
	t.OK(err, "watermarks")
	t.Want("end", high, 1000)
}
