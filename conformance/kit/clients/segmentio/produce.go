package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/segmentio/kafka-go"
)

func acks(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	for _, acks := range []kafka.RequiredAcks{kafka.RequireNone, kafka.RequireOne, kafka.RequireAll} {
		w := writer(ctx, t, func(w *kafka.Writer) { w.RequiredAcks = acks })
		t.OK(w.WriteMessages(ctx, numbered(30)...), "produce")
		read(ctx, t, 30, kafka.FirstOffset) // what acks 0 sent may still be on its way
	}
	for i, m := range read(ctx, t, 90, kafka.FirstOffset) {
		t.Want("value", string(m.Value), i%30)
		t.Want("offset", m.Offset, i)
	}
}

func codecs(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	text := strings.Repeat("the spool of thread ", 20)
	seen := map[string]int{}
	for _, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		ms := numbered(50)
		for i := range ms {
			ms[i].Value = []byte(text + strconv.Itoa(i))
		}
		w := writer(ctx, t, func(w *kafka.Writer) { w.Compression = codec })
		t.OK(w.WriteMessages(ctx, ms...), "produce "+codec.String())
		seen[codec.String()] = len(ms)
	}
	for i, m := range read(ctx, t, 250, kafka.FirstOffset) {
		t.Want("value", string(m.Value), text+strconv.Itoa(i%50))
	}
	t.Observe("read back", seen)
}

func headers(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	hs := []kafka.Header{
		{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")},
		{Key: "empty", Value: []byte{}}, {Key: "null"}, {Key: "é", Value: []byte{0, 255}},
	}
	t.OK(writer(ctx, t, nil).WriteMessages(ctx, kafka.Message{Value: []byte("v"), Headers: hs}), "produce")
	var got []string
	for _, h := range read(ctx, t, 1, kafka.FirstOffset)[0].Headers {
		got = append(got, fmt.Sprintf("%s=%q %v", h.Key, h.Value, h.Value == nil))
	}
	t.Want("headers", len(got), len(hs))
	t.Observe("headers", got)
}

func nulls(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	k, v := []byte("k"), []byte("v")
	ms := []kafka.Message{{}, {Key: k}, {Value: v}, {Key: []byte{}, Value: []byte{}}, {Key: k, Value: v}}
	t.OK(writer(ctx, t, nil).WriteMessages(ctx, ms...), "produce")
	var got []string
	for _, m := range read(ctx, t, len(ms), kafka.FirstOffset) {
		got = append(got, fmt.Sprintf("%q %v %q %v", m.Key, m.Key == nil, m.Value, m.Value == nil))
	}
	t.Observe("records", got)
}

func big(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	w := writer(ctx, t, func(w *kafka.Writer) { w.BatchBytes = 8 << 20; w.MaxAttempts = 1 })
	ok := make([]byte, 1_000_000)
	for i := range ok {
		ok[i] = byte(i * 7)
	}
	t.OK(w.WriteMessages(ctx, kafka.Message{Value: ok}), "produce 1,000,000 bytes")
	err := w.WriteMessages(ctx, kafka.Message{Value: make([]byte, 2<<20)})
	t.Want("code of 2 MiB", code(err), 10)
	got := read(ctx, t, 1, kafka.FirstOffset)[0].Value
	t.Want("same bytes", string(got) == string(ok), true)
}
