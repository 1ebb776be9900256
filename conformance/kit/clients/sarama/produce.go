package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

func acks(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	for _, acks := range []sarama.RequiredAcks{sarama.NoResponse, sarama.WaitForLocal, sarama.WaitForAll} {
		p := producer(ctx, t, t.Bootstrap, func(c *sarama.Config) { c.Producer.RequiredAcks = acks })
		t.OK(p.SendMessages(numbered(t.Topic, 30)), "produce")
		read(ctx, t, 30, sarama.OffsetOldest) // what acks 0 sent may still be on its way
	}
	for i, m := range read(ctx, t, 90, sarama.OffsetOldest) {
		t.Want("value", string(m.Value), i%30)
		t.Want("offset", m.Offset, i)
	}
}

func codecs(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	text := strings.Repeat("the spool of thread ", 20)
	seen := map[string]int{}
	list := []sarama.CompressionCodec{
		sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD,
	}
	for _, codec := range list {
		p := producer(ctx, t, t.Bootstrap, func(c *sarama.Config) { c.Producer.Compression = codec })
		ms := numbered(t.Topic, 50)
		for i, m := range ms {
			m.Value = sarama.StringEncoder(text + strconv.Itoa(i))
		}
		t.OK(p.SendMessages(ms), "produce "+codec.String())
		seen[codec.String()] = len(ms)
	}
	for i, m := range read(ctx, t, 250, sarama.OffsetOldest) {
		t.Want("value", string(m.Value), text+strconv.Itoa(i%50))
	}
	t.Observe("read back", seen)
}

func headers(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	hs := []sarama.RecordHeader{
		{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("a"), Value: []byte("2")},
		{Key: []byte("empty"), Value: []byte{}}, {Key: []byte("null")}, {Key: []byte("é"), Value: []byte{0, 255}},
	}
	m := &sarama.ProducerMessage{Topic: t.Topic, Value: sarama.StringEncoder("v"), Headers: hs}
	t.OK(producer(ctx, t, t.Bootstrap, nil).SendMessages([]*sarama.ProducerMessage{m}), "produce")
	var got []string
	for _, h := range read(ctx, t, 1, sarama.OffsetOldest)[0].Headers {
		got = append(got, fmt.Sprintf("%s=%q %v", h.Key, h.Value, h.Value == nil))
	}
	t.Want("headers", len(got), len(hs))
	t.Observe("headers", got)
}

func nulls(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	k, v, empty := sarama.StringEncoder("k"), sarama.StringEncoder("v"), sarama.ByteEncoder{}
	ms := []*sarama.ProducerMessage{{}, {Key: k}, {Value: v}, {Key: empty, Value: empty}, {Key: k, Value: v}}
	for _, m := range ms {
		m.Topic = t.Topic
	}
	t.OK(producer(ctx, t, t.Bootstrap, nil).SendMessages(ms), "produce")
	var got []string
	for i, m := range read(ctx, t, len(ms), sarama.OffsetOldest) {
		t.Want("null key", m.Key == nil, ms[i].Key == nil)
		t.Want("null value", m.Value == nil, ms[i].Value == nil)
		got = append(got, fmt.Sprintf("%q %v %q %v", m.Key, m.Key == nil, m.Value, m.Value == nil))
	}
	t.Observe("records", got)
}

func big(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	p := producer(ctx, t, t.Bootstrap, func(c *sarama.Config) { c.Producer.MaxMessageBytes = 8 << 20 })
	ok := make([]byte, 1_000_000)
	for i := range ok {
		ok[i] = byte(i * 7)
	}
	_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: t.Topic, Value: sarama.ByteEncoder(ok)})
	t.OK(err, "produce 1,000,000 bytes")
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: t.Topic, Value: sarama.ByteEncoder(make([]byte, 2<<20))})
	t.Want("code of 2 MiB", code(err), 10)
	got := read(ctx, t, 1, sarama.OffsetOldest)[0].Value
	t.Want("same bytes", string(got) == string(ok), true)
}

func idempotent(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	p := producer(ctx, t, t.Flaky, func(c *sarama.Config) {
		c.Producer.Idempotent, c.Producer.RequiredAcks, c.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
		c.Producer.Flush.MaxMessages, c.Producer.Retry.Max = 10, 10000
	})
	var failed sarama.ProducerErrors
	if err := p.SendMessages(numbered(t.Topic, 1000)); errors.As(err, &failed) {
		t.Fatal("%d messages failed, the first: %v", len(failed), failed[0])
	}
	for i, m := range read(ctx, t, 1000, sarama.OffsetOldest) {
		t.Want("value", string(m.Value), i)
		t.Want("offset", m.Offset, i)
	}
	t.Want("end", offset(ctx, t, sarama.OffsetNewest), 1000)
}
