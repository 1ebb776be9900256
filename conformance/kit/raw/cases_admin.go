package raw

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

func adminCases() []one {
	producer := func(name string, set func(*kmsg.InitProducerIDRequest)) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrInitProducerIDRequest()
			r.TransactionTimeoutMillis = 60000
			set(r)
			return r
		})
	}
	elect := func(name string, kind int8, set func(*kmsg.ElectLeadersRequest)) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrElectLeadersRequest()
			r.ElectionType, r.TimeoutMillis = kind, 5000
			set(r)
			return r
		})
	}
	of := func(name string, partitions ...int32) func(*kmsg.ElectLeadersRequest) {
		return func(r *kmsg.ElectLeadersRequest) {
			r.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: name, Partitions: partitions}}
		}
	}
	move := func(name, of string, partition int32, replicas []int32) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
			r.TimeoutMillis = 5000
			t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
			p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
			p.Partition, p.Replicas = partition, replicas
			t.Topic, t.Partitions = of, append(t.Partitions, p)
			r.Topics = append(r.Topics, t)
			return r
		})
	}
	feature := func(name, which string, level int16, set func(*kmsg.UpdateFeaturesRequest)) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrUpdateFeaturesRequest()
			r.TimeoutMillis, r.ValidateOnly = 5000, true
			f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
			f.Feature, f.MaxVersionLevel, f.UpgradeType = which, level, 1
			r.FeatureUpdates = append(r.FeatureUpdates, f)
			if set != nil {
				set(r)
			}
			return r
		})
	}
	dirs := func(name string, topics []kmsg.DescribeLogDirsRequestTopic) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeLogDirsRequest()
			r.Topics = topics
			return r
		})
	}
	producers := func(name, of string, partition int32) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeProducersRequest()
			r.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: of, Partitions: []int32{partition}}}
			return r
		})
	}
	return []one{
		producer("new", func(*kmsg.InitProducerIDRequest) {}),
		producer("empty transactional id", func(r *kmsg.InitProducerIDRequest) { r.TransactionalID = ptr("") }),
		from(3, producer("epoch without an id", func(r *kmsg.InitProducerIDRequest) { r.ProducerID, r.ProducerEpoch = -1, 3 })),
		from(3, producer("id without an epoch", func(r *kmsg.InitProducerIDRequest) { r.ProducerID, r.ProducerEpoch = 3, -1 })),
		elect("preferred, not needed", 0, of(topic, 0)), elect("unclean, not needed", 1, of(topic, 0)),
		elect("unknown partition", 0, of(topic, 9)), elect("unknown topic", 0, of("raw.unknown", 0)),
		elect("all", 0, func(*kmsg.ElectLeadersRequest) {}),
		from(1, elect("unknown kind", 9, of(topic, 0))),
		move("to where it is", topic, 0, []int32{1}), move("to a stranger", topic, 0, []int32{7}), move("to nobody", topic, 0, []int32{}),
		move("twice to one", topic, 0, []int32{1, 1}), move("cancel what is not moving", topic, 0, nil),
		move("unknown partition", topic, 9, []int32{1}), move("unknown topic", "raw.unknown", 0, []int32{1}), move("to a negative one", topic, 0, []int32{-1}),
		at("all", func(*session) kmsg.Request { return kmsg.NewPtrListPartitionReassignmentsRequest() }),
		at("one", func(*session) kmsg.Request {
			r := kmsg.NewPtrListPartitionReassignmentsRequest()
			r.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: topic, Partitions: []int32{0}}}
			return r
		}),
		at("unknown topic", func(*session) kmsg.Request {
			r := kmsg.NewPtrListPartitionReassignmentsRequest()
			r.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: "raw.unknown", Partitions: []int32{0}}}
			return r
		}),
		feature("as it is", "metadata.version", 29, nil), feature("too high", "metadata.version", 999, nil),
		feature("unknown", "no.such.feature", 1, nil), feature("lower", "metadata.version", 10, nil), feature("negative", "metadata.version", -3, nil),
		feature("twice", "metadata.version", 29, func(r *kmsg.UpdateFeaturesRequest) { r.FeatureUpdates = append(r.FeatureUpdates, r.FeatureUpdates[0]) }),
		feature("none", "", 0, func(r *kmsg.UpdateFeaturesRequest) { r.FeatureUpdates = nil }),
		dirs("one topic", []kmsg.DescribeLogDirsRequestTopic{{Topic: topic, Partitions: []int32{0, 1}}}),
		dirs("unknown topic", []kmsg.DescribeLogDirsRequestTopic{{Topic: "raw.unknown", Partitions: []int32{0}}}),
		dirs("no topics", []kmsg.DescribeLogDirsRequestTopic{}),
		producers("of nothing", topic, 1), producers("unknown partition", topic, 9), producers("unknown topic", "raw.unknown", 0),
		at("unknown broker", func(*session) kmsg.Request {
			r := kmsg.NewPtrUnregisterBrokerRequest()
			r.BrokerID = 77
			return r
		}),
		at("all", func(*session) kmsg.Request { return kmsg.NewPtrListTransactionsRequest() }),
		at("unknown", func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeTransactionsRequest()
			r.TransactionalIDs = []string{"raw.tx"}
			return r
		}),
		find("transaction", 1, "raw.tx"), // last: it may make a topic
	}
}
