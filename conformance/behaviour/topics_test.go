package behaviour

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// create makes a topic and returns its id. settings are key, value, key, value.
func (c *conn) create(topic string, partitions int32, settings ...string) [16]byte {
	c.t.Helper()
	t := newTopic(topic, partitions)
	for kv := range slices.Chunk(settings, 2) {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: kv[0], Value: &kv[1]})
	}
	got := c.createAll(false, t)[0]
	if got.ErrorCode != 0 {
		c.t.Fatalf("create %s: %v: %s", topic, kerr.ErrorForCode(got.ErrorCode), *got.ErrorMessage)
	}
	return got.TopicID
}

func newTopic(topic string, partitions int32) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
	return t
}

func (c *conn) createAll(validate bool, topics ...kmsg.CreateTopicsRequestTopic) []kmsg.CreateTopicsResponseTopic {
	c.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.ValidateOnly, req.TimeoutMillis = topics, validate, 5000
	return ask[*kmsg.CreateTopicsResponse](c, 7, req).Topics
}

// metadata asks for topics by name and does not create them.
func (c *conn) metadata(version int16, topics ...string) []kmsg.MetadataResponseTopic {
	c.t.Helper()
	return ask[*kmsg.MetadataResponse](c, version, metadataRequest(topics...)).Topics
}

func metadataRequest(topics ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
	}
	return req
}
