// Command franz runs the scenarios with franz-go.
package main

import (
	"context"
	"errors"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	scenario.Main("franz-go", map[string]scenario.Func{
		"cluster": cluster, "topics": topics, "configs": configs, "acks": acks,
		"codecs": codecs, "headers": headers, "nulls": nulls, "big": big,
		"idempotent": idempotent, "positions": positions, "group": group,
		"static": static, "commit": commit, "trim": trim, "compact": compact,
		"transactions": transactions, "isolation": isolation, "fencing": fencing, "expiry": expiry, "pipeline": pipeline,
		"consumer": consumer, "instance": instance, "pattern": pattern, "migration": migration, "share": share,
	})
}

// client returns a client of the plain listener that lives as long as the scenario.
func client(ctx context.Context, t *scenario.T, opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(t.Seeds()...)}, opts...)...)
	t.OK(err, "new client")
	context.AfterFunc(ctx, c.CloseAllowingRebalance)
	return c
}

func admin(ctx context.Context, t *scenario.T) *kadm.Client { return kadm.NewClient(client(ctx, t)) }

func code(err error) int {
	return scenario.Code(err, func(err error) (int, bool) {
		var ke *kerr.Error
		if errors.As(err, &ke) {
			return int(ke.Code), true
		}
		return 0, false
	})
}

// create makes the scenario's topic.
func create(ctx context.Context, t *scenario.T, partitions int32, configs map[string]string) {
	set := make(map[string]*string)
	for k, v := range configs {
		set[k] = &v
	}
	r, err := admin(ctx, t).CreateTopic(ctx, partitions, int16(t.Copies), set, t.Topic)
	t.OK(errors.Join(err, r.Err), "create "+t.Topic)
	t.Eventually(ctx, "partitions", func() any {
		m, err := admin(ctx, t).ListTopics(ctx, t.Topic)
		t.OK(err, "describe")
		return len(m[t.Topic].Partitions)
	}, partitions)
}

// send produces records one after the other and returns the first error.
func send(ctx context.Context, c *kgo.Client, records ...*kgo.Record) error {
	return c.ProduceSync(ctx, records...).FirstErr()
}

// read consumes n records of the scenario's topic from the given place.
func read(ctx context.Context, t *scenario.T, n int, from kgo.Offset) []*kgo.Record {
	c := client(ctx, t, kgo.ConsumeTopics(t.Topic), kgo.ConsumeResetOffset(from), kgo.FetchMaxBytes(8<<20))
	defer c.Close()
	return poll(ctx, t, c, n)
}

// poll returns the next n records, or what came before time ran out.
func poll(ctx context.Context, t *scenario.T, c *kgo.Client, n int) (got []*kgo.Record) {
	for len(got) < n {
		fs := c.PollFetches(ctx)
		t.OK(fs.Err0(), "poll")
		fs.EachError(func(topic string, p int32, err error) { t.Fatal("fetch %s-%d: %v", topic, p, err) })
		got = append(got, fs.Records()...)
	}
	return got
}
