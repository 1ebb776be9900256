package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func cluster(ctx context.Context, t *scenario.T) {
	a := admin(ctx, t)
	m, err := a.BrokerMetadata(ctx)
	t.OK(err, "metadata")
	t.Observe("brokers", len(m.Brokers))
	t.Observe("controller", m.Controller)
	t.Observe("cluster id length", len(m.Cluster))
	dirs, err := a.DescribeAllLogDirs(ctx, nil)
	t.OK(err, "describe log dirs")
	t.Observe("log dirs", len(dirs[m.Controller]))
	versions, err := a.ApiVersions(ctx)
	t.OK(err, "api versions")
	t.Observe("brokers that told versions", len(versions))
}

func topics(ctx context.Context, t *scenario.T) {
	a := admin(ctx, t)
	ms := "60000"
	configs := map[string]*string{"retention.ms": &ms}
	make := func(name string, partitions int32, factor int16) int {
		r, err := a.CreateTopic(ctx, partitions, factor, configs, name)
		return code(errors.Join(r.Err, err))
	}
	t.Want("create", make(t.Topic, 3, int16(t.Copies)), 0)
	t.Observe("again", make(t.Topic, 3, int16(t.Copies)))
	t.Observe("no partitions", make(t.Topic+".x", 0, 1))
	t.Observe("three copies", make(t.Topic+".x", 1, 3))
	t.Observe("bad name", make("not a name!", 1, 1))
	count := func() int {
		m, err := a.ListTopics(ctx, t.Topic)
		t.OK(err, "describe")
		return len(m[t.Topic].Partitions)
	}
	t.Eventually(ctx, "partitions", func() any { return count() }, 3)
	update := func(n int) int {
		rs, err := a.UpdatePartitions(ctx, n, t.Topic)
		t.OK(err, "create partitions")
		return code(rs[t.Topic].Err)
	}
	t.Want("add partitions", update(5), 0)
	t.Observe("fewer partitions", update(2))
	t.Eventually(ctx, "partitions", func() any { return count() }, 5)
	drop := func() int {
		rs, err := a.DeleteTopics(ctx, t.Topic)
		t.OK(err, "delete")
		return code(rs[t.Topic].Err)
	}
	t.Want("delete", drop(), 0)
	t.Observe("delete again", drop())
	t.Eventually(ctx, "partitions after", func() any { return count() }, 0)
}

func configs(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{"cleanup.policy": "delete"})
	a := admin(ctx, t)
	describe := func(key string) string {
		rs, err := a.DescribeTopicConfigs(ctx, t.Topic)
		if err != nil || rs[0].Err != nil {
			return fmt.Sprint(err, rs)
		}
		for _, c := range rs[0].Configs {
			if c.Key == key {
				return c.MaybeValue() + " " + c.Source.String()
			}
		}
		return "absent"
	}
	alter := func(op kadm.IncrementalOp, key, value string) int {
		c := kadm.AlterConfig{Op: op, Name: key, Value: &value}
		rs, err := a.AlterTopicConfigs(ctx, []kadm.AlterConfig{c}, t.Topic)
		t.OK(err, "alter")
		return code(rs[0].Err)
	}
	t.Observe("default", describe("retention.ms"))
	t.Want("set", alter(kadm.SetConfig, "retention.ms", "123456"), 0)
	t.Eventually(ctx, "after set", func() any { return describe("retention.ms") }, "123456 DYNAMIC_TOPIC_CONFIG")
	t.Observe("wrong value", alter(kadm.SetConfig, "retention.ms", "soon"))
	t.Observe("unknown key", alter(kadm.SetConfig, "no.such.key", "1"))
	t.Want("append", alter(kadm.AppendConfig, "cleanup.policy", "compact"), 0)
	t.Eventually(ctx, "after append", func() any { return describe("cleanup.policy") }, "delete,compact DYNAMIC_TOPIC_CONFIG")
	t.Want("delete", alter(kadm.DeleteConfig, "retention.ms", ""), 0)
	t.Eventually(ctx, "after delete", func() any { return describe("retention.ms") }, "604800000 DEFAULT_CONFIG")
	bs, err := a.DescribeBrokerConfigs(ctx, 1)
	t.OK(err, "describe broker")
	t.Observe("broker keys, at least 100", len(bs[0].Configs) >= 100)
}

func trim(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	t.OK(send(ctx, client(ctx, t), numbered(t.Topic, 100)...), "produce")
	a := admin(ctx, t)
	cut := func(before int64) kadm.DeleteRecordsResponse {
		rs, err := a.DeleteRecords(ctx, kadm.Offsets{t.Topic: {0: {Topic: t.Topic, At: before}}})
		t.OK(err, "delete records")
		return rs[t.Topic][0]
	}
	r := cut(30)
	t.OK(r.Err, "delete records")
	t.Want("low watermark", r.LowWatermark, 30)
	starts, err := a.ListStartOffsets(ctx, t.Topic)
	t.OK(err, "start offset")
	t.Want("start", starts[t.Topic][0].Offset, 30)
	t.Want("first record", read(ctx, t, 1, kgo.NewOffset().AtStart())[0].Offset, 30)
	t.Observe("beyond the end", code(cut(1000).Err))
	t.Want("to the high watermark", cut(-1).LowWatermark, 100)
}
