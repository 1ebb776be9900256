// Command sarama runs the scenarios with IBM/sarama.
package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

func main() {
	scenario.Main("sarama", map[string]scenario.Func{
		"cluster": cluster, "topics": topics, "configs": configs, "acks": acks,
		"codecs": codecs, "headers": headers, "nulls": nulls, "big": big,
		"idempotent": idempotent, "positions": positions, "group": group,
		"static": static, "commit": commit, "trim": trim, "compact": compact,
		"transactions": transactions, "isolation": isolation, "fencing": fencing, "expiry": expiry, "pipeline": pipeline,
	})
}

// config is what all scenarios start from.
func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.ClientID = "sarama"
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll // its own default is the leader alone
	c.Producer.Retry.Backoff = 20 * time.Millisecond
	c.Consumer.Return.Errors = true
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	c.Metadata.Retry.Backoff = 50 * time.Millisecond
	return c
}

func admin(ctx context.Context, t *scenario.T) sarama.ClusterAdmin {
	a, err := sarama.NewClusterAdmin(t.Seeds(), config())
	t.OK(err, "new admin")
	context.AfterFunc(ctx, func() { a.Close() })
	return a
}

func code(err error) int {
	return scenario.Code(err, func(err error) (int, bool) {
		var ke sarama.KError
		if errors.As(err, &ke) {
			return int(ke), true
		}
		var topic *sarama.TopicError
		if errors.As(err, &topic) {
			return int(topic.Err), true
		}
		var parts *sarama.TopicPartitionError
		if errors.As(err, &parts) {
			return int(parts.Err), true
		}
		return 0, false
	})
}

func create(ctx context.Context, t *scenario.T, partitions int32, configs map[string]string) {
	entries := make(map[string]*string)
	for k, v := range configs {
		entries[k] = &v
	}
	d := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: int16(t.Copies), ConfigEntries: entries}
	t.OK(admin(ctx, t).CreateTopic(t.Topic, d, false), "create "+t.Topic)
	t.Eventually(ctx, "partitions", func() any {
		m, err := admin(ctx, t).DescribeTopics([]string{t.Topic})
		t.OK(err, "describe")
		return len(m[0].Partitions)
	}, partitions)
}

func producer(ctx context.Context, t *scenario.T, address string, set func(*sarama.Config)) sarama.SyncProducer {
	c := config()
	if set != nil {
		set(c)
	}
	p, err := sarama.NewSyncProducer(strings.Split(address, ","), c)
	t.OK(err, "new producer")
	context.AfterFunc(ctx, func() { p.Close() })
	return p
}

// numbered returns n messages whose values count from 0.
func numbered(topic string, n int) (ms []*sarama.ProducerMessage) {
	for i := range n {
		ms = append(ms, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(strconv.Itoa(i))})
	}
	return ms
}

// read consumes n messages of the scenario's topic from an offset.
func read(ctx context.Context, t *scenario.T, n int, from int64) (got []*sarama.ConsumerMessage) {
	cfg := config()
	cfg.Consumer.Fetch.Default = 8 << 20
	c, err := sarama.NewConsumer(t.Seeds(), cfg)
	t.OK(err, "new consumer")
	defer c.Close()
	p, err := c.ConsumePartition(t.Topic, 0, from)
	t.OK(err, "consume")
	defer p.AsyncClose()
	for len(got) < n {
		select {
		case m := <-p.Messages():
			got = append(got, m)
		case err := <-p.Errors():
			t.Fatal("consume: %v", err)
		case <-ctx.Done():
			t.Fatal("read %d messages of %d", len(got), n)
		}
	}
	return got
}

// offset asks for the offset of a time, or of sarama.OffsetOldest or OffsetNewest.
func offset(ctx context.Context, t *scenario.T, at int64) int64 {
	c, err := sarama.NewClient(t.Seeds(), config())
	t.OK(err, "new client")
	defer c.Close()
	o, err := c.GetOffset(t.Topic, 0, at)
	t.OK(err, "offset")
	return o
}
