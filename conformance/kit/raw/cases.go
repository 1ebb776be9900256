package raw

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// cases are all requests, in the order in which they are sent.
func cases() []one {
	return slices.Concat(clusterCases(), topicCases(), configCases(), produceCases(), fetchCases(),
		offsetCases(), groupCases(), commitCases(), adminCases(), txnCases(), modernCases(), shareCases(), shareStateCases())
}

func ptr[T any](v T) *T { return &v }

// at makes a case of a request that is the same in every version but for its topic ids.
func at(name string, make func(s *session) kmsg.Request) one {
	return one{name: name, make: func(s *session, _ int16) kmsg.Request { return make(s) }}
}

func from(version int16, o one) one {
	o.min = version
	return o
}

func clusterCases() []one {
	metadata := func(name string, set func(s *session, r *kmsg.MetadataRequest)) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrMetadataRequest()
			set(s, r)
			return r
		})
	}
	topics := func(r *kmsg.MetadataRequest, names ...string) {
		for _, n := range names {
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = ptr(n)
			r.Topics = append(r.Topics, t)
		}
	}
	return []one{
		at("plain", func(*session) kmsg.Request {
			r := kmsg.NewPtrApiVersionsRequest()
			r.ClientSoftwareName, r.ClientSoftwareVersion = "raw", "1"
			return r
		}),
		from(3, at("bad software name", func(*session) kmsg.Request {
			r := kmsg.NewPtrApiVersionsRequest()
			r.ClientSoftwareName, r.ClientSoftwareVersion = "-raw-", "1"
			return r
		})),
		metadata("all topics", func(s *session, r *kmsg.MetadataRequest) { r.Topics = nil }),
		metadata("one topic", func(s *session, r *kmsg.MetadataRequest) { topics(r, topic) }),
		metadata("unknown topic", func(s *session, r *kmsg.MetadataRequest) { topics(r, "raw.unknown", topic) }),
		metadata("bad topic name", func(s *session, r *kmsg.MetadataRequest) { topics(r, "not a name!") }),
		from(1, metadata("no topics", func(s *session, r *kmsg.MetadataRequest) { r.Topics = []kmsg.MetadataRequestTopic{} })),
		from(8, metadata("with operations", func(s *session, r *kmsg.MetadataRequest) {
			topics(r, topic)
			r.IncludeTopicAuthorizedOperations = true
		})),
		from(12, metadata("by id", func(s *session, r *kmsg.MetadataRequest) {
			t := kmsg.NewMetadataRequestTopic()
			t.TopicID = s.ids[topic]
			r.Topics = append(r.Topics, t)
		})),
		from(12, metadata("by unknown id", func(s *session, r *kmsg.MetadataRequest) {
			t := kmsg.NewMetadataRequestTopic()
			t.TopicID = [16]byte{1, 2, 3}
			r.Topics = append(r.Topics, t)
		})),
		at("plain", func(*session) kmsg.Request { return kmsg.NewPtrDescribeClusterRequest() }),
		at("with operations", func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeClusterRequest()
			r.IncludeClusterAuthorizedOperations = true
			return r
		}),
		from(1, at("of controllers", func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeClusterRequest()
			r.EndpointType = 2
			return r
		})),
		at("page of one", func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeTopicPartitionsRequest()
			t := kmsg.NewDescribeTopicPartitionsRequestTopic()
			t.Topic = topic
			r.Topics, r.ResponsePartitionLimit = append(r.Topics, t), 1
			return r
		}),
		at("unknown topic", func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeTopicPartitionsRequest()
			t := kmsg.NewDescribeTopicPartitionsRequestTopic()
			t.Topic = "raw.unknown"
			r.Topics = append(r.Topics, t)
			return r
		}),
		at("plain", func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeQuorumRequest()
			t := kmsg.NewDescribeQuorumRequestTopic()
			t.Topic, t.Partitions = "__cluster_metadata", []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}}
			r.Topics = append(r.Topics, t)
			return r
		}),
		at("wrong topic", func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeQuorumRequest()
			t := kmsg.NewDescribeQuorumRequestTopic()
			t.Topic, t.Partitions = "raw.unknown", []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}}
			r.Topics = append(r.Topics, t)
			return r
		}),
		at("handshake without SASL", func(*session) kmsg.Request {
			r := kmsg.NewPtrSASLHandshakeRequest()
			r.Mechanism = "PLAIN"
			return r
		}),
		at("bytes without SASL", func(*session) kmsg.Request {
			r := kmsg.NewPtrSASLAuthenticateRequest()
			r.SASLAuthBytes = []byte("\x00user\x00secret")
			return r
		}),
	}
}

func topicCases() []one {
	create := func(name string, set func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic)) one {
		return one{name: name, make: func(s *session, v int16) kmsg.Request {
			r := createTopic(fmt.Sprintf("raw.%s.%d", slug(name), v), 2)
			set(r, &r.Topics[0])
			return r
		}}
	}
	drop := func(name string, topic func(s *session, v int16) (string, [16]byte)) one {
		return one{name: name, make: func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrDeleteTopicsRequest()
			r.TimeoutMillis = 5000
			n, id := topic(s, v)
			t := kmsg.NewDeleteTopicsRequestTopic()
			if t.TopicID = id; n != "" {
				t.Topic = ptr(n)
				r.TopicNames = []string{n}
			}
			r.Topics = append(r.Topics, t)
			return r
		}}
	}
	grow := func(name string, count int32, topicName string, set func(*kmsg.CreatePartitionsRequestTopic)) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrCreatePartitionsRequest()
			r.TimeoutMillis = 5000
			t := kmsg.NewCreatePartitionsRequestTopic()
			t.Topic, t.Count = topicName, count
			if set != nil {
				set(&t)
			}
			r.ValidateOnly = true
			r.Topics = append(r.Topics, t)
			return r
		})
	}
	list := []one{
		create("good", func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic) {}),
		create("good", func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic) {}), // again: it exists
		create("checked only", func(r *kmsg.CreateTopicsRequest, _ *kmsg.CreateTopicsRequestTopic) { r.ValidateOnly = true }),
		create("no partitions", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.NumPartitions = 0 }),
		create("minus five partitions", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.NumPartitions = -5 }),
		create("three copies", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.ReplicationFactor = 3 }),
		create("no copies", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.ReplicationFactor = 0 }),
		create("bad name", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.Topic = "not a name!" }),
		create("empty name", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.Topic = "" }),
		create("colliding name", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.Topic = "raw_topic" }),
		create("long name", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
			t.Topic = string(slices.Repeat([]byte("x"), 250))
		}),
		create("internal name", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.Topic = "__cluster_metadata" }),
		create("wrong value", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.Configs[0].Value = ptr("soon") }),
		create("null value", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.Configs[0].Value = nil }),
		create("unknown key", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.Configs[0].Name = "no.such.key" }),
		create("twice", func(r *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { r.Topics = append(r.Topics, *t) }),
		from(4, create("defaults", func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
			t.NumPartitions, t.ReplicationFactor = -1, -1
		})),
	}
	assign := func(name string, partitions map[int32][]int32) one {
		return create(name, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
			t.NumPartitions, t.ReplicationFactor = -1, -1
			for p := range int32(10) {
				if replicas, ok := partitions[p]; ok {
					t.ReplicaAssignment = append(t.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: p, Replicas: replicas})
				}
			}
		})
	}
	return append(list,
		assign("assigned", map[int32][]int32{0: {1}, 1: {1}}),
		assign("assigned to a stranger", map[int32][]int32{0: {7}}),
		assign("assigned twice", map[int32][]int32{0: {1, 1}}),
		assign("assigned with a gap", map[int32][]int32{0: {1}, 2: {1}}),
		assign("assigned to none", map[int32][]int32{0: {}}),
		grow("more", 5, topic, nil), grow("fewer", 1, topic, nil), grow("as many", 2, topic, nil), grow("of an unknown topic", 5, "raw.unknown", nil),
		grow("assigned", 3, topic, func(t *kmsg.CreatePartitionsRequestTopic) {
			t.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{1}}}
		}),
		grow("assigned to a stranger", 3, topic, func(t *kmsg.CreatePartitionsRequestTopic) {
			t.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{9}}}
		}),
		grow("assigned too few", 5, topic, func(t *kmsg.CreatePartitionsRequestTopic) {
			t.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{1}}}
		}),
		drop("good", func(s *session, v int16) (string, [16]byte) { return fmt.Sprintf("raw.good.%d", v+1), [16]byte{} }),
		drop("unknown", func(*session, int16) (string, [16]byte) { return "raw.unknown", [16]byte{} }),
		from(6, drop("unknown id", func(*session, int16) (string, [16]byte) { return "", [16]byte{9} })),
		from(6, drop("name and id", func(s *session, v int16) (string, [16]byte) { return "raw.topic", s.ids[topic] })),
		from(6, drop("neither", func(s *session, v int16) (string, [16]byte) { return "", [16]byte{} })),
	)
}

func slug(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c == ' ' {
			b[i] = '-'
		}
	}
	return string(b)
}
