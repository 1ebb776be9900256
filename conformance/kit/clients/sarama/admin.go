package main

import (
	"context"
	"fmt"

	"github.com/IBM/sarama"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

func cluster(ctx context.Context, t *scenario.T) {
	a := admin(ctx, t)
	brokers, controller, err := a.DescribeCluster()
	t.OK(err, "describe cluster")
	t.Observe("brokers", len(brokers))
	t.Observe("controller", controller)
	dirs, err := a.DescribeLogDirs([]int32{controller})
	t.OK(err, "describe log dirs")
	t.Observe("log dirs", len(dirs[controller]))
}

func topics(ctx context.Context, t *scenario.T) {
	a := admin(ctx, t)
	ms := "60000"
	make := func(name string, partitions int32, factor int16) int {
		d := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: factor, ConfigEntries: map[string]*string{"retention.ms": &ms}}
		return code(a.CreateTopic(name, d, false))
	}
	t.Want("create", make(t.Topic, 3, int16(t.Copies)), 0)
	t.Observe("again", make(t.Topic, 3, int16(t.Copies)))
	t.Observe("no partitions", make(t.Topic+".x", 0, 1))
	t.Observe("three copies", make(t.Topic+".x", 1, 3))
	t.Observe("bad name", make("not a name!", 1, 1))
	describe := func() *sarama.TopicMetadata {
		m, err := a.DescribeTopics([]string{t.Topic})
		t.OK(err, "describe")
		return m[0]
	}
	t.Eventually(ctx, "partitions", func() any { return len(describe().Partitions) }, 3)
	t.Want("add partitions", code(a.CreatePartitions(t.Topic, 5, nil, false)), 0)
	t.Observe("fewer partitions", code(a.CreatePartitions(t.Topic, 2, nil, false)))
	t.Eventually(ctx, "partitions", func() any { return len(describe().Partitions) }, 5)
	t.Eventually(ctx, "listed retention", func() any {
		list, err := a.ListTopics()
		t.OK(err, "list")
		if v := list[t.Topic].ConfigEntries["retention.ms"]; v != nil {
			return *v
		}
		return nil
	}, "60000")
	t.Want("delete", code(a.DeleteTopic(t.Topic)), 0)
	t.Observe("delete again", code(a.DeleteTopic(t.Topic)))
	t.Eventually(ctx, "describe after", func() any { return int(describe().Err) }, 3)
}

func configs(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{"cleanup.policy": "delete"})
	a := admin(ctx, t)
	describe := func(key string) string {
		list, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: t.Topic})
		t.OK(err, "describe")
		for _, e := range list {
			if e.Name == key {
				return fmt.Sprintf("%s %s", e.Value, e.Source)
			}
		}
		return "absent"
	}
	alter := func(op sarama.IncrementalAlterConfigsOperation, key, value string) int {
		e := map[string]sarama.IncrementalAlterConfigsEntry{key: {Operation: op, Value: &value}}
		return code(a.IncrementalAlterConfig(sarama.TopicResource, t.Topic, e, false))
	}
	t.Observe("default", describe("retention.ms"))
	t.Want("set", alter(sarama.IncrementalAlterConfigsOperationSet, "retention.ms", "123456"), 0)
	t.Eventually(ctx, "after set", func() any { return describe("retention.ms") }, "123456 Topic")
	t.Observe("wrong value", alter(sarama.IncrementalAlterConfigsOperationSet, "retention.ms", "soon"))
	t.Observe("unknown key", alter(sarama.IncrementalAlterConfigsOperationSet, "no.such.key", "1"))
	t.Want("append", alter(sarama.IncrementalAlterConfigsOperationAppend, "cleanup.policy", "compact"), 0)
	t.Eventually(ctx, "after append", func() any { return describe("cleanup.policy") }, "delete,compact Topic")
	t.Want("delete", alter(sarama.IncrementalAlterConfigsOperationDelete, "retention.ms", ""), 0)
	t.Eventually(ctx, "after delete", func() any { return describe("retention.ms") }, "604800000 Default")
	ms := "7000"
	t.Want("legacy alter", code(a.AlterConfig(sarama.TopicResource, t.Topic, map[string]*string{"retention.ms": &ms}, false)), 0)
	t.Eventually(ctx, "after legacy alter", func() any { return describe("retention.ms") }, "7000 Topic")
	t.Observe("what legacy alter dropped", describe("cleanup.policy"))
	list, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.BrokerResource, Name: "1"})
	t.OK(err, "describe broker")
	t.Observe("broker keys, at least 100", len(list) >= 100)
}

func trim(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	t.OK(producer(ctx, t, t.Bootstrap, nil).SendMessages(numbered(t.Topic, 100)), "produce")
	a := admin(ctx, t)
	cut := func(before int64) error { return a.DeleteRecords(t.Topic, map[int32]int64{0: before}) }
	t.OK(cut(30), "delete records")
	t.Want("start", offset(ctx, t, sarama.OffsetOldest), 30)
	t.Want("first record", read(ctx, t, 1, sarama.OffsetOldest)[0].Offset, 30)
	t.Observe("beyond the end", code(cut(1000)))
	t.OK(cut(-1), "delete all")
	t.Want("start", offset(ctx, t, sarama.OffsetOldest), 100)
}
