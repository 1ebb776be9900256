package behaviour

import (
	"slices"
	"strings"
	"testing"
	"time"

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

func TestBehaviour073WhichTopicsMetadataLists(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("a", 1)
		c.create("b", 1)
		count := func(version int16, req *kmsg.MetadataRequest) int {
			return len(ask[*kmsg.MetadataResponse](c, version, req).Topics)
		}
		none := metadataRequest()
		same(t, "version 0, none named", count(0, none), 2)
		same(t, "version 1, none named", count(1, none), 0)
		same(t, "version 1, null", count(1, kmsg.NewPtrMetadataRequest()), 2)
		same(t, "version 12, null", count(12, kmsg.NewPtrMetadataRequest()), 2)
		unknown := c.metadata(12, "new")
		expect(t, "unknown, not to be created", unknown[0].ErrorCode, kerr.UnknownTopicOrPartition)
		time.Sleep(time.Second)
		expect(t, "still unknown", c.metadata(12, "new")[0].ErrorCode, kerr.UnknownTopicOrPartition)
		// Before version 4 a client could not say that it wants none created.
		expect(t, "old client", c.metadata(3, "old")[0].ErrorCode, kerr.UnknownTopicOrPartition)
		expect(t, "what it named is there", c.metadata(3, "old")[0].ErrorCode, nil)
	})
}

func TestBehaviour074CreatedTopicsAnswerLater(t *testing.T) {
	onNode(t, props{"num.partitions": "3"}, func(n *node) {
		c := n.dial()
		req := metadataRequest("new", "bad name", "..")
		req.AllowAutoTopicCreation = true
		got := ask[*kmsg.MetadataResponse](c, 12, req).Topics
		expect(t, "first answer", got[0].ErrorCode, kerr.UnknownTopicOrPartition)
		expect(t, "bad name", got[1].ErrorCode, kerr.InvalidTopicException)
		expect(t, "two dots", got[2].ErrorCode, kerr.InvalidTopicException)
		again := c.metadata(12, "new")[0]
		expect(t, "second answer", again.ErrorCode, nil)
		same(t, "partitions", len(again.Partitions), 3)
	})
	onNodeAgain(t, props{"auto.create.topics.enable": "false"}, func(n *node) {
		c := n.dial()
		req := metadataRequest("new")
		req.AllowAutoTopicCreation = true
		for range 2 {
			expect(t, "not created", ask[*kmsg.MetadataResponse](c, 12, req).Topics[0].ErrorCode, kerr.UnknownTopicOrPartition)
		}
	})
}

func TestBehaviour077AnyBrokerIsTheController(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		resp := ask[*kmsg.MetadataResponse](c, 12, metadataRequest())
		same(t, "controller", resp.ControllerID, 1)
		if len(resp.Brokers) != 1 || resp.Brokers[0].Host != "node" || resp.Brokers[0].Port != 9092 {
			t.Errorf("brokers are %+v", resp.Brokers)
		}
		if resp.ClusterID == nil || len(*resp.ClusterID) != 22 {
			t.Errorf("cluster id is %v, want 22 letters", resp.ClusterID)
		}
	})
}

func TestBehaviour078TopicNames(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		for _, name := range []string{"", ".", "..", "a b", "a/b", "ä", strings.Repeat("x", 250)} {
			expect(t, "name "+name, c.createAll(false, newTopic(name, 1))[0].ErrorCode, kerr.InvalidTopicException)
		}
		for _, name := range []string{"...", "a.b", strings.Repeat("x", 249), "A-1"} {
			expect(t, "name "+name, c.createAll(false, newTopic(name, 1))[0].ErrorCode, nil)
		}
		expect(t, "collision", c.createAll(false, newTopic("a_b", 1))[0].ErrorCode, kerr.InvalidTopicException)
		expect(t, "there already", c.createAll(false, newTopic("a.b", 1))[0].ErrorCode, kerr.TopicAlreadyExists)
		both := c.createAll(false, newTopic("x.y", 1), newTopic("x_y", 1))
		expect(t, "first of two that collide", both[0].ErrorCode, nil) // only with those that are there
		expect(t, "second of two that collide", both[1].ErrorCode, nil)
	})
}

func TestBehaviour079CreateTopics(t *testing.T) {
	onNode(t, props{"num.partitions": "4"}, func(n *node) {
		c := n.dial()
		twice := c.createAll(false, newTopic("twice", 1), newTopic("twice", 2), newTopic("good", 1))
		same(t, "answers", len(twice), 2)
		for _, got := range twice {
			want := error(nil)
			if got.Topic == "twice" {
				want = kerr.InvalidRequest
			}
			expect(t, got.Topic, got.ErrorCode, want)
		}
		defaults := newTopic("defaults", -1)
		defaults.ReplicationFactor = -1
		got := c.createAll(true, defaults)[0]
		expect(t, "only validated", got.ErrorCode, nil)
		same(t, "partitions", got.NumPartitions, 4)
		same(t, "replicas", got.ReplicationFactor, 1)
		same(t, "configs are told", len(got.Configs) > 20, true)
		expect(t, "was not made", c.metadata(12, "defaults")[0].ErrorCode, kerr.UnknownTopicOrPartition)
		expect(t, "defaults", c.createAll(false, defaults)[0].ErrorCode, nil)

		assign := func(name string, partitions int32, replicas ...[]int32) kmsg.CreateTopicsRequestTopic {
			nt := newTopic(name, partitions)
			nt.ReplicationFactor = int16(partitions)
			for i, r := range replicas {
				a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
				a.Partition, a.Replicas = int32(i), r
				nt.ReplicaAssignment = append(nt.ReplicaAssignment, a)
			}
			return nt
		}
		gap := assign("gap", -1, []int32{1}, []int32{1})
		gap.ReplicaAssignment[1].Partition = 2
		many := newTopic("many", 1)
		many.ReplicationFactor = 2
		noReplicas := newTopic("none", 1)
		noReplicas.ReplicationFactor = 0
		config := newTopic("config", 1)
		config.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: ptr("soon")}}
		unknown := newTopic("unknown", 1)
		unknown.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "no.such.config", Value: ptr("1")}}
		null := newTopic("null", 1)
		null.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms"}}
		for _, w := range []struct {
			topic kmsg.CreateTopicsRequestTopic
			want  error
		}{
			{assign("manual", -1, []int32{1}, []int32{1}), nil},
			{assign("with-counts", 1, []int32{1}), kerr.InvalidRequest},
			{assign("stranger", -1, []int32{9}), kerr.InvalidReplicaAssignment},
			{assign("same-broker", -1, []int32{1, 1}), kerr.InvalidReplicaAssignment},
			{assign("empty", -1, []int32{}), kerr.InvalidReplicaAssignment},
			{gap, kerr.InvalidReplicaAssignment},
			{newTopic("zero", 0), kerr.InvalidPartitions},
			{newTopic("minus", -2), kerr.InvalidPartitions},
			{many, kerr.InvalidReplicationFactor},
			{noReplicas, kerr.InvalidReplicationFactor},
			{config, kerr.InvalidConfig},
			{unknown, kerr.InvalidConfig},
			{null, kerr.InvalidConfig},
		} {
			expect(t, w.topic.Topic, c.createAll(false, w.topic)[0].ErrorCode, w.want)
		}
		same(t, "partitions of a manual assignment", len(c.metadata(12, "manual")[0].Partitions), 2)
	})
}

func TestBehaviour080CreatePartitions(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 2)
		grow := func(topic string, count int32, assignments ...[]int32) int16 {
			req := kmsg.NewPtrCreatePartitionsRequest()
			req.TimeoutMillis = 5000
			rt := kmsg.NewCreatePartitionsRequestTopic()
			rt.Topic, rt.Count = topic, count
			for _, a := range assignments {
				rt.Assignment = append(rt.Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: a})
			}
			req.Topics = append(req.Topics, rt)
			return ask[*kmsg.CreatePartitionsResponse](c, 3, req).Topics[0].ErrorCode
		}
		expect(t, "fewer", grow("t", 1), kerr.InvalidPartitions)
		expect(t, "as many", grow("t", 2), kerr.InvalidPartitions)
		expect(t, "unknown topic", grow("nowhere", 9), kerr.UnknownTopicOrPartition)
		expect(t, "wrong number of assignments", grow("t", 4, []int32{1}), kerr.InvalidReplicaAssignment)
		expect(t, "unknown broker", grow("t", 3, []int32{9}), kerr.InvalidReplicaAssignment)
		expect(t, "more", grow("t", 4), nil)
		same(t, "partitions", len(c.metadata(12, "t")[0].Partitions), 4)
	})
}

func TestBehaviour081ElectLeaders(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		elect := func(kind int8, topic string) int16 {
			req := kmsg.NewPtrElectLeadersRequest()
			req.ElectionType, req.TimeoutMillis = kind, 5000
			req.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: topic, Partitions: []int32{0}}}
			return ask[*kmsg.ElectLeadersResponse](c, 2, req).Topics[0].Partitions[0].ErrorCode
		}
		expect(t, "preferred", elect(0, "t"), kerr.ElectionNotNeeded)
		expect(t, "unclean", elect(1, "t"), kerr.ElectionNotNeeded)
		expect(t, "unknown", elect(0, "nowhere"), kerr.UnknownTopicOrPartition)
	})
}

const (
	setConfig      kmsg.IncrementalAlterConfigOp = 0
	deleteConfig   kmsg.IncrementalAlterConfigOp = 1
	appendConfig   kmsg.IncrementalAlterConfigOp = 2
	subtractConfig kmsg.IncrementalAlterConfigOp = 3
)

func (c *conn) alter(kind kmsg.ConfigResourceType, name, key string, op kmsg.IncrementalAlterConfigOp, value *string) int16 {
	c.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kind, name
	r.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: key, Op: op, Value: value}}
	req.Resources = append(req.Resources, r)
	return ask[*kmsg.IncrementalAlterConfigsResponse](c, 1, req).Resources[0].ErrorCode
}

func (c *conn) config(topic, key string) string {
	c.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{key}
	req.Resources = append(req.Resources, r)
	return *ask[*kmsg.DescribeConfigsResponse](c, 4, req).Resources[0].Configs[0].Value
}

func TestBehaviour083ListsAreAppendedTo(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		topic := kmsg.ConfigResourceTypeTopic
		same(t, "append", c.alter(topic, "t", "cleanup.policy", appendConfig, ptr("compact")), 0)
		same(t, "policy", c.config("t", "cleanup.policy"), "delete,compact")
		same(t, "append what is there", c.alter(topic, "t", "cleanup.policy", appendConfig, ptr("compact")), 0)
		same(t, "policy", c.config("t", "cleanup.policy"), "delete,compact")
		same(t, "subtract", c.alter(topic, "t", "cleanup.policy", subtractConfig, ptr("delete")), 0)
		same(t, "policy", c.config("t", "cleanup.policy"), "compact")
		same(t, "delete", c.alter(topic, "t", "cleanup.policy", deleteConfig, nil), 0)
		same(t, "policy", c.config("t", "cleanup.policy"), "delete")
		expect(t, "append to a number", c.alter(topic, "t", "retention.ms", appendConfig, ptr("1")), kerr.InvalidConfig)
		expect(t, "subtract from a number", c.alter(topic, "t", "retention.ms", subtractConfig, ptr("1")), kerr.InvalidConfig)
		expect(t, "bad value", c.alter(topic, "t", "cleanup.policy", setConfig, ptr("burn")), kerr.InvalidConfig)
		expect(t, "unknown topic", c.alter(topic, "nowhere", "retention.ms", setConfig, ptr("1")), kerr.UnknownTopicOrPartition)
	})
}

func TestBehaviour083BrokersDoNotSetMinISR(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		broker := kmsg.ConfigResourceTypeBroker
		expect(t, "of one broker", c.alter(broker, "1", "min.insync.replicas", setConfig, ptr("2")), kerr.InvalidConfig)
		expect(t, "of the cluster", c.alter(broker, "", "min.insync.replicas", setConfig, ptr("1")), nil)
		expect(t, "taken from the cluster", c.alter(broker, "", "min.insync.replicas", deleteConfig, nil), kerr.InvalidConfig)
	})
}
