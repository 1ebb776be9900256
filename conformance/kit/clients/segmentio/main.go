// Command segmentio runs the scenarios with segmentio/kafka-go.
package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/segmentio/kafka-go"
)

func main() {
	scenario.Main("kafka-go", map[string]scenario.Func{
		"cluster": cluster, "topics": topics, "configs": configs, "acks": acks,
		"codecs": codecs, "headers": headers, "nulls": nulls, "big": big,
		"positions": positions, "group": group, "commit": commit, "compact": compact,
		"idempotent": func(_ context.Context, t *scenario.T) { t.Skip("kafka-go has no idempotent producer") },
		"static":     func(_ context.Context, t *scenario.T) { t.Skip("kafka-go's consumer has no static membership") },
		"trim":       func(_ context.Context, t *scenario.T) { t.Skip("kafka-go has no DeleteRecords") },
	})
}

func client(t *scenario.T) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(t.Seeds()...), Timeout: 20 * time.Second, Transport: &kafka.Transport{MetadataTTL: 5 * time.Second}}
}

func code(err error) int {
	return scenario.Code(err, func(err error) (int, bool) {
		var ke kafka.Error
		var many kafka.WriteErrors
		if errors.As(err, &many) {
			for _, e := range many {
				if errors.As(e, &ke) {
					return int(ke), true
				}
			}
		}
		if errors.As(err, &ke) {
			return int(ke), true
		}
		return 0, false
	})
}

func create(ctx context.Context, t *scenario.T, partitions int, configs map[string]string) {
	tc := kafka.TopicConfig{Topic: t.Topic, NumPartitions: partitions, ReplicationFactor: t.Copies}
	for k, v := range configs {
		tc.ConfigEntries = append(tc.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
	}
	r, err := client(t).CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{tc}})
	t.OK(err, "create")
	t.OK(r.Errors[t.Topic], "create "+t.Topic)
	t.Eventually(ctx, "partitions", func() any {
		m, err := client(t).Metadata(ctx, &kafka.MetadataRequest{Topics: []string{t.Topic}})
		t.OK(err, "describe")
		return len(m.Topics[0].Partitions)
	}, partitions)
}

func writer(ctx context.Context, t *scenario.T, set func(*kafka.Writer)) *kafka.Writer {
	w := &kafka.Writer{
		Addr: kafka.TCP(t.Seeds()...), Topic: t.Topic, RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond,
		Transport: &kafka.Transport{MetadataTTL: time.Second},
	}
	if set != nil {
		set(w)
	}
	context.AfterFunc(ctx, func() { w.Close() })
	return w
}

// numbered returns n messages whose values count from 0.
func numbered(n int) (ms []kafka.Message) {
	for i := range n {
		ms = append(ms, kafka.Message{Value: []byte(strconv.Itoa(i))})
	}
	return ms
}

// reader reads partition 0 of the scenario's topic from an offset.
func reader(t *scenario.T, from int64) *kafka.Reader {
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: t.Seeds(), Topic: t.Topic, MaxWait: 100 * time.Millisecond, MaxBytes: 8 << 20,
	})
	t.OK(r.SetOffset(from), "set offset")
	return r
}

func read(ctx context.Context, t *scenario.T, n int, from int64) (got []kafka.Message) {
	r := reader(t, from)
	defer r.Close()
	for len(got) < n {
		m, err := r.ReadMessage(ctx)
		t.OK(err, "read")
		got = append(got, m)
	}
	return got
}
