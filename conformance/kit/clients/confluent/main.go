// Command confluent runs the scenarios with confluent-kafka-go, which is librdkafka.
package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

const client = "confluent-kafka-go"

func main() {
	scenario.Main(client, map[string]scenario.Func{
		"cluster": cluster, "topics": topics, "configs": configs, "acks": acks,
		"codecs": codecs, "headers": headers, "nulls": nulls, "big": big,
		"idempotent": idempotent, "positions": positions, "group": group,
		"static": static, "commit": commit, "trim": trim, "compact": compact,
		"transactions": transactions, "isolation": isolation, "fencing": fencing, "expiry": expiry, "pipeline": pipeline,
		"consumer": modern, "instance": instance, "pattern": pattern, "migration": migration,
	})
}

func code(err error) int {
	return scenario.Code(err, func(err error) (int, bool) {
		var ke kafka.Error
		if errors.As(err, &ke) {
			return int(ke.Code()), true
		}
		return 0, false
	})
}

func config(t *scenario.T, more ...string) *kafka.ConfigMap {
	m := kafka.ConfigMap{"bootstrap.servers": t.Bootstrap, "client.id": client, "log_level": 0}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return &m
}

func admin(ctx context.Context, t *scenario.T) *kafka.AdminClient {
	a, err := kafka.NewAdminClient(config(t))
	t.OK(err, "new admin")
	context.AfterFunc(ctx, a.Close)
	return a
}

func create(ctx context.Context, t *scenario.T, partitions int, configs map[string]string) {
	rs, err := admin(ctx, t).CreateTopics(ctx, []kafka.TopicSpecification{{
		Topic: t.Topic, NumPartitions: partitions, ReplicationFactor: t.Copies, Config: configs,
	}})
	t.OK(err, "create")
	t.Want("create "+t.Topic, rs[0].Error.Code(), kafka.ErrNoError)
	t.Eventually(ctx, "partitions", func() any {
		r, err := admin(ctx, t).DescribeTopics(ctx, kafka.NewTopicCollectionOfTopicNames([]string{t.Topic}))
		t.OK(err, "describe")
		return len(r.TopicDescriptions[0].Partitions)
	}, partitions)
}

// send produces messages, waits for what came of each, and returns the first error.
func send(t *scenario.T, ms []*kafka.Message, more ...string) error {
	p, err := kafka.NewProducer(config(t, more...))
	t.OK(err, "new producer")
	defer p.Close()
	reports := make(chan kafka.Event, len(ms))
	for _, m := range ms {
		m.TopicPartition = kafka.TopicPartition{Topic: &t.Topic, Partition: 0}
		t.OK(p.Produce(m, reports), "produce")
	}
	for range ms {
		m := (<-reports).(*kafka.Message)
		if m.TopicPartition.Error != nil {
			return m.TopicPartition.Error
		}
	}
	return nil
}

// numbered returns n messages whose values count from 0.
func numbered(n int) (ms []*kafka.Message) {
	for i := range n {
		ms = append(ms, &kafka.Message{Value: []byte(strconv.Itoa(i))})
	}
	return ms
}

func consumer(ctx context.Context, t *scenario.T, more ...string) *kafka.Consumer {
	cfg := config(t, append([]string{
		"group.id", t.Topic, "auto.offset.reset", "earliest", "enable.auto.commit", "false", "fetch.wait.max.ms", "100",
	}, more...)...)
	c, err := kafka.NewConsumer(cfg)
	t.OK(err, "new consumer")
	return c
}

// poll returns the next n messages.
func poll(ctx context.Context, t *scenario.T, c *kafka.Consumer, n int) (got []*kafka.Message) {
	for len(got) < n {
		if ctx.Err() != nil {
			t.Fatal("read %d messages of %d", len(got), n)
		}
		m, err := c.ReadMessage(200 * time.Millisecond)
		switch kafka.ErrorCode(code(err)) {
		case kafka.ErrTimedOut, kafka.ErrTransport, kafka.ErrAllBrokersDown:
			continue // the library says that a node is away, and goes on by itself
		}
		t.OK(err, "read")
		got = append(got, m)
	}
	return got
}

// read consumes n messages of the scenario's topic from an offset.
func read(ctx context.Context, t *scenario.T, n int, from kafka.Offset) []*kafka.Message {
	c := consumer(ctx, t)
	defer c.Close()
	t.OK(c.Assign([]kafka.TopicPartition{{Topic: &t.Topic, Partition: 0, Offset: from}}), "assign")
	return poll(ctx, t, c, n)
}
