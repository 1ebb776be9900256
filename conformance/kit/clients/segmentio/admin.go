package main

import (
	"context"
	"fmt"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/segmentio/kafka-go"
)

func cluster(ctx context.Context, t *scenario.T) {
	c := client(t)
	m, err := c.Metadata(ctx, &kafka.MetadataRequest{})
	t.OK(err, "metadata")
	t.Observe("brokers", len(m.Brokers))
	t.Observe("controller", m.Controller.ID)
	t.Observe("cluster id length", len(m.ClusterID))
	v, err := c.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	t.OK(err, "api versions")
	t.OK(v.Error, "api versions")
	t.Observe("requests it needs", len(v.ApiKeys) > 30)
}

func topics(ctx context.Context, t *scenario.T) {
	c := client(t)
	make := func(name string, partitions, factor int) int {
		r, err := c.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
			Topic: name, NumPartitions: partitions, ReplicationFactor: factor,
			ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "60000"}},
		}}})
		t.OK(err, "create")
		return code(r.Errors[name])
	}
	t.Want("create", make(t.Topic, 3, t.Copies), 0)
	t.Observe("again", make(t.Topic, 3, t.Copies))
	t.Observe("no partitions", make(t.Topic+".x", 0, 1))
	t.Observe("three copies", make(t.Topic+".x", 1, 3))
	t.Observe("bad name", make("not a name!", 1, 1))
	describe := func() kafka.Topic {
		m, err := client(t).Metadata(ctx, &kafka.MetadataRequest{Topics: []string{t.Topic}})
		t.OK(err, "describe")
		return m.Topics[0]
	}
	t.Eventually(ctx, "partitions", func() any { return len(describe().Partitions) }, 3)
	grow := func(n int32) int {
		r, err := c.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: t.Topic, Count: n}}})
		t.OK(err, "create partitions")
		return code(r.Errors[t.Topic])
	}
	t.Want("add partitions", grow(5), 0)
	t.Observe("fewer partitions", grow(2))
	t.Eventually(ctx, "partitions", func() any { return len(describe().Partitions) }, 5)
	drop := func() int {
		r, err := c.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{t.Topic}})
		t.OK(err, "delete")
		return code(r.Errors[t.Topic])
	}
	t.Want("delete", drop(), 0)
	t.Observe("delete again", drop())
	t.Eventually(ctx, "describe after", func() any { return code(describe().Error) }, 3)
}

func configs(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{"cleanup.policy": "delete"})
	c := client(t)
	describe := func(key string) string {
		r, err := c.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
			Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: t.Topic}},
		})
		t.OK(err, "describe")
		t.OK(r.Resources[0].Error, "describe")
		for _, e := range r.Resources[0].ConfigEntries {
			if e.ConfigName == key {
				return fmt.Sprintf("%s %d", e.ConfigValue, e.ConfigSource)
			}
		}
		return "absent"
	}
	alter := func(op kafka.ConfigOperation, key, value string) int {
		r, err := c.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
			Resources: []kafka.IncrementalAlterConfigsRequestResource{{
				ResourceType: kafka.ResourceTypeTopic, ResourceName: t.Topic,
				Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: key, Value: value, ConfigOperation: op}},
			}},
		})
		t.OK(err, "alter")
		return code(r.Resources[0].Error)
	}
	t.Observe("default", describe("retention.ms"))
	t.Want("set", alter(kafka.ConfigOperationSet, "retention.ms", "123456"), 0)
	t.Eventually(ctx, "after set", func() any { return describe("retention.ms") }, "123456 1")
	t.Observe("wrong value", alter(kafka.ConfigOperationSet, "retention.ms", "soon"))
	t.Observe("unknown key", alter(kafka.ConfigOperationSet, "no.such.key", "1"))
	t.Want("append", alter(kafka.ConfigOperationAppend, "cleanup.policy", "compact"), 0)
	t.Eventually(ctx, "after append", func() any { return describe("cleanup.policy") }, "delete,compact 1")
	t.Want("delete", alter(kafka.ConfigOperationDelete, "retention.ms", ""), 0)
	t.Eventually(ctx, "after delete", func() any { return describe("retention.ms") }, "604800000 5")
}
