package main

import (
	"context"
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

func cluster(ctx context.Context, t *scenario.T) {
	d, err := admin(ctx, t).DescribeCluster(ctx, kafka.SetAdminOptionIncludeAuthorizedOperations(true))
	t.OK(err, "describe cluster")
	t.Observe("brokers", len(d.Nodes))
	t.Observe("controller", d.Controller.ID)
	t.Observe("authorized operations", fmt.Sprint(d.AuthorizedOperations))
}

func topics(ctx context.Context, t *scenario.T) {
	a := admin(ctx, t)
	make := func(name string, partitions, factor int) int {
		rs, err := a.CreateTopics(ctx, []kafka.TopicSpecification{{
			Topic: name, NumPartitions: partitions, ReplicationFactor: factor, Config: map[string]string{"retention.ms": "60000"},
		}})
		if err != nil {
			return code(err)
		}
		return int(rs[0].Error.Code())
	}
	t.Want("create", make(t.Topic, 3, t.Copies), 0)
	t.Observe("again", make(t.Topic, 3, t.Copies))
	t.Observe("no partitions", make(t.Topic+".x", 0, 1))
	t.Observe("three copies", make(t.Topic+".x", 1, 3))
	t.Observe("bad name", make("not a name!", 1, 1))
	describe := func() kafka.TopicDescription {
		r, err := a.DescribeTopics(ctx, kafka.NewTopicCollectionOfTopicNames([]string{t.Topic}))
		t.OK(err, "describe")
		return r.TopicDescriptions[0]
	}
	t.Eventually(ctx, "partitions", func() any { return len(describe().Partitions) }, 3)
	grow := func(n int) int {
		rs, err := a.CreatePartitions(ctx, []kafka.PartitionsSpecification{{Topic: t.Topic, IncreaseTo: n}})
		t.OK(err, "create partitions")
		return int(rs[0].Error.Code())
	}
	t.Want("add partitions", grow(5), 0)
	t.Observe("fewer partitions", grow(2))
	t.Eventually(ctx, "partitions", func() any { return len(describe().Partitions) }, 5)
	drop := func() int {
		rs, err := a.DeleteTopics(ctx, []string{t.Topic})
		t.OK(err, "delete")
		return int(rs[0].Error.Code())
	}
	t.Want("delete", drop(), 0)
	t.Observe("delete again", drop())
	t.Eventually(ctx, "describe after", func() any { return int(describe().Error.Code()) }, 3)
}

func configs(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{"cleanup.policy": "delete"})
	a := admin(ctx, t)
	describe := func(key string) string {
		rs, err := a.DescribeConfigs(ctx, []kafka.ConfigResource{{Type: kafka.ResourceTopic, Name: t.Topic}})
		t.OK(err, "describe")
		return rs[0].Config[key].Value + " " + rs[0].Config[key].Source.String()
	}
	alter := func(op kafka.AlterConfigOpType, key, value string) int {
		rs, err := a.IncrementalAlterConfigs(ctx, []kafka.ConfigResource{{
			Type: kafka.ResourceTopic, Name: t.Topic,
			Config: []kafka.ConfigEntry{{Name: key, Value: value, IncrementalOperation: op}},
		}})
		t.OK(err, "alter")
		return int(rs[0].Error.Code())
	}
	t.Observe("default", describe("retention.ms"))
	t.Want("set", alter(kafka.AlterConfigOpTypeSet, "retention.ms", "123456"), 0)
	t.Eventually(ctx, "after set", func() any { return describe("retention.ms") }, "123456 DYNAMIC_TOPIC_CONFIG")
	t.Observe("wrong value", alter(kafka.AlterConfigOpTypeSet, "retention.ms", "soon"))
	t.Observe("unknown key", alter(kafka.AlterConfigOpTypeSet, "no.such.key", "1"))
	t.Want("append", alter(kafka.AlterConfigOpTypeAppend, "cleanup.policy", "compact"), 0)
	t.Eventually(ctx, "after append", func() any { return describe("cleanup.policy") }, "delete,compact DYNAMIC_TOPIC_CONFIG")
	t.Want("delete", alter(kafka.AlterConfigOpTypeDelete, "retention.ms", ""), 0)
	t.Eventually(ctx, "after delete", func() any { return describe("retention.ms") }, "604800000 DEFAULT_CONFIG")
}

func trim(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	t.OK(send(t, numbered(100)), "produce")
	a := admin(ctx, t)
	cut := func(before int64) (low int64, errCode int) {
		r, err := a.DeleteRecords(ctx, []kafka.TopicPartition{{Topic: &t.Topic, Partition: 0, Offset: kafka.Offset(before)}})
		t.OK(err, "delete records")
		one := r.DeleteRecordsResults[0]
		if one.DeletedRecords != nil {
			low = int64(one.DeletedRecords.LowWatermark)
		}
		return low, code(one.TopicPartition.Error)
	}
	low, _ := cut(30)
	t.Want("low watermark", low, 30)
	t.Want("first record", read(ctx, t, 1, kafka.OffsetBeginning)[0].TopicPartition.Offset, 30)
	_, beyond := cut(1000)
	t.Observe("beyond the end", beyond)
	low, _ = cut(-1)
	t.Want("to the high watermark", low, 100)
}
