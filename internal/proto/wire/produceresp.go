package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// Produce answers a Produce request, version 3 to 13. The bytes are those that kmsg writes,
// which takes longer than all else in a small request: it compares by reflection whether a
// leader is told.
func Produce(resp *kmsg.ProduceResponse) Reply { return (*produceReply)(resp) }

type produceReply kmsg.ProduceResponse

func (*produceReply) done() {}

// encode writes
//
//	topics | throttle int32 | tags (9): 0 endpoints (10)
//	topic: name (to 12) or id (13) | partitions | tags
//	partition: index int32 | error int16 | base offset int64 | append time int64
//	  | log start int64 (5) | record errors (8) | message (8) | tags: 0 leader (10)
//	record error: index int32 | message | tags
func (p *produceReply) encode(dst []byte, r *Request) []byte {
	e := produceEncoder{encoder{b: dst, flexible: r.flexibleReply()}, r.Version}
	e.count(len(p.Topics))
	for i := range p.Topics {
		e.topic(&p.Topics[i])
	}
	e.int32(p.ThrottleMillis)
	if e.flexible {
		e.endpoints(p.Brokers)
	}
	return e.b
}

type produceEncoder struct {
	encoder
	version int16
}

func (e *produceEncoder) topic(t *kmsg.ProduceResponseTopic) {
	if e.version < 13 {
		e.string(t.Topic)
	} else {
		e.b = append(e.b, t.TopicID[:]...)
	}
	e.count(len(t.Partitions))
	for i := range t.Partitions {
		e.partition(&t.Partitions[i])
	}
	e.noTags()
}

func (e *produceEncoder) partition(p *kmsg.ProduceResponseTopicPartition) {
	e.int32(p.Partition)
	e.int16(p.ErrorCode)
	e.int64(p.BaseOffset)
	e.int64(p.LogAppendTime)
	if e.version >= 5 {
		e.int64(p.LogStartOffset)
	}
	if e.version >= 8 {
		e.count(len(p.ErrorRecords))
		for i := range p.ErrorRecords {
			e.int32(p.ErrorRecords[i].RelativeOffset)
			e.nullableString(p.ErrorRecords[i].ErrorMessage)
			e.noTags()
		}
		e.nullableString(p.ErrorMessage)
	}
	if leader := &p.CurrentLeader; e.version < 10 || leader.LeaderID == -1 && leader.LeaderEpoch == -1 {
		e.noTags()
		return
	}
	e.uvarint(1)
	e.tag(0, 9)
	e.int32(p.CurrentLeader.LeaderID)
	e.int32(p.CurrentLeader.LeaderEpoch)
	e.noTags()
}

// endpoints writes the tagged fields of the whole: the leaders' addresses.
func (e *produceEncoder) endpoints(nodes []kmsg.ProduceResponseBroker) {
	if e.version < 10 || len(nodes) == 0 {
		e.noTags()
		return
	}
	inner := encoder{flexible: true}
	inner.count(len(nodes))
	for i := range nodes {
		inner.node(nodes[i].NodeID, nodes[i].Host, nodes[i].Port, nodes[i].Rack)
	}
	e.uvarint(1)
	e.tag(0, len(inner.b))
	e.b = append(e.b, inner.b...)
}
