package raw

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func produceCases() []one {
	put := func(name, to string, partition int32, records func() []byte, set func(*kmsg.ProduceRequest)) one {
		return at(name, func(s *session) kmsg.Request {
			r := s.produce(to, partition, records())
			if set != nil {
				set(r)
			}
			return r
		})
	}
	good := func() []byte { return batch(3) }
	changed := func(set func(b []byte) []byte) func() []byte {
		return func() []byte { return set(batch(3)) }
	}
	list := []one{
		put("good", scratch, 0, good, nil),
		put("acks one", scratch, 0, good, func(r *kmsg.ProduceRequest) { r.Acks = 1 }),
		put("acks five", scratch, 0, good, func(r *kmsg.ProduceRequest) { r.Acks = 5 }),
		put("unknown topic", "raw.unknown", 0, good, nil),
		put("unknown partition", topic, 9, good, nil),
		put("wrong checksum", scratch, 0, changed(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), nil),
		put("old magic", scratch, 0, changed(func(b []byte) []byte { b[16] = 1; return b }), nil),
		put("two batches", scratch, 0, changed(func(b []byte) []byte { return append(b, batch(2)...) }), nil),
		put("cut batch", scratch, 0, changed(func(b []byte) []byte { return b[:len(b)-5] }), nil),
		put("wrong count", scratch, 0, changed(func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[57:], 9)
			return seal(b)
		}), nil),
		put("unknown codec", scratch, 0, changed(func(b []byte) []byte { b[22] = 5; return seal(b) }), nil),
		put("control batch", scratch, 0, changed(func(b []byte) []byte { b[22] = 0x20; return seal(b) }), nil),
		put("too large", scratch, 0, func() []byte {
			b := batch(3)
			return seal(append(b, make([]byte, 2<<20)...))
		}, nil),
		put("far ahead of time", scratch, 0, changed(func(b []byte) []byte {
			binary.BigEndian.PutUint64(b[27:], 1<<43)
			binary.BigEndian.PutUint64(b[35:], 1<<43+1000)
			return seal(b)
		}), nil),
		from(13, put("no records", scratch, 0, func() []byte { return nil }, nil)), // Kafka never answers it
		put("empty records", scratch, 0, func() []byte { return []byte{} }, nil),
		put("unknown producer in the middle", scratch, 0, changed(func(b []byte) []byte {
			binary.BigEndian.PutUint64(b[43:], 4_000_000)
			binary.BigEndian.PutUint16(b[51:], 0)
			binary.BigEndian.PutUint32(b[53:], 7)
			return seal(b)
		}), nil),
	}
	return append(list, sequenceCases(put)...)
}

// sequenceCases produce as one idempotent producer. Each runs in one version only: the
// state that it leaves behind is the next one's start.
func sequenceCases(put func(string, string, int32, func() []byte, func(*kmsg.ProduceRequest)) one) (list []one) {
	const newest = 12
	for _, c := range []struct {
		name            string
		epoch, sequence uint16
	}{
		{"first of a producer", 0, 0}, {"second of a producer", 0, 3}, {"the same again", 0, 3}, {"a gap", 0, 60},
		{"an older one again", 0, 0}, {"a new epoch", 1, 0}, {"the old epoch", 0, 6}, {"a new epoch in the middle", 2, 5},
	} {
		list = append(list, from(newest, put("sequence: "+c.name, scratch, 0, func() []byte {
			b := batch(3)
			binary.BigEndian.PutUint64(b[43:], 5_000_000)
			binary.BigEndian.PutUint16(b[51:], c.epoch)
			binary.BigEndian.PutUint32(b[53:], uint32(c.sequence))
			return seal(b)
		}, nil)))
	}
	return list
}

func fetchCases() []one {
	get := func(name, of string, partition int32, offset int64, set func(*kmsg.FetchRequest, *kmsg.FetchRequestTopicPartition)) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrFetchRequest()
			r.MaxBytes, r.ReplicaID, r.SessionEpoch = 1<<20, -1, -1
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = of, s.ids[of]
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = partition, offset, 1<<20, -1
			if set != nil {
				set(r, &p)
			}
			t.Partitions = append(t.Partitions, p)
			r.Topics = append(r.Topics, t)
			return r
		})
	}
	return []one{
		get("from the start", topic, 0, 0, nil),
		get("from the middle of a batch", topic, 0, 5, nil),
		get("at the end", topic, 0, 10, nil),
		get("empty partition", topic, 1, 0, nil),
		get("beyond the end", topic, 0, 50, nil),
		get("negative offset", topic, 0, -5, nil),
		get("unknown partition", topic, 9, 0, nil),
		get("unknown topic", "raw.unknown", 0, 0, nil),
		get("one byte", topic, 0, 0, func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.PartitionMaxBytes = 1 }),
		get("no bytes", topic, 0, 0, func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { r.MaxBytes = 0 }),
		get("committed only", topic, 0, 0, func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { r.IsolationLevel = 1 }),
		from(7, get("new session", topic, 0, 0, func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { r.SessionEpoch = 0 })),
		from(7, get("unknown session", topic, 0, 0, func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
			r.SessionID, r.SessionEpoch = 12345, 7
		})),
		from(9, get("the leader's epoch", topic, 0, 0, func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 0 })),
		from(9, get("an epoch to come", topic, 0, 0, func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 7 })),
		from(12, get("last epoch of another log", topic, 0, 5, func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
			p.CurrentLeaderEpoch, p.LastFetchedEpoch = 0, 7
		})),
	}
}

func offsetCases() []one {
	ask := func(name, of string, partition int32, when int64, epoch int32) one {
		return at(name, func(s *session) kmsg.Request { return s.listOffsets(of, partition, when, epoch) })
	}
	ofEpoch := func(name, of string, partition, current, epoch int32) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrOffsetForLeaderEpochRequest()
			t := kmsg.NewOffsetForLeaderEpochRequestTopic()
			t.Topic = of
			p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = partition, current, epoch
			t.Partitions = append(t.Partitions, p)
			r.Topics, r.ReplicaID = append(r.Topics, t), -1
			return r
		})
	}
	cut := func(name, of string, partition int32, before int64) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrDeleteRecordsRequest()
			t := kmsg.NewDeleteRecordsRequestTopic()
			t.Topic = of
			t.Partitions = []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: before}}
			r.Topics, r.TimeoutMillis = append(r.Topics, t), 5000
			return r
		})
	}
	return []one{
		ask("latest", topic, 0, -1, -1), ask("earliest", topic, 0, -2, -1), ask("largest time", topic, 0, -3, -1),
		ask("earliest local", topic, 0, -4, -1), ask("latest tiered", topic, 0, -5, -1), ask("earliest to upload", topic, 0, -6, -1), ask("minus seven", topic, 0, -7, -1),
		ask("before all", topic, 0, 5, -1), ask("exact time", topic, 0, epoch+3000, -1), ask("between", topic, 0, epoch+3001, -1),
		ask("last time", topic, 0, epoch+8000, -1), ask("after all", topic, 0, epoch+8001, -1),
		ask("latest of nothing", topic, 1, -1, -1), ask("largest time of nothing", topic, 1, -3, -1), ask("a time in nothing", topic, 1, epoch, -1),
		ask("unknown partition", topic, 9, -1, -1), ask("unknown topic", "raw.unknown", 0, -1, -1),
		from(4, ask("the leader's epoch", topic, 0, -1, 0)), from(4, ask("an epoch to come", topic, 0, -1, 7)),
		ofEpoch("this epoch", topic, 0, 0, 0), ofEpoch("no current epoch", topic, 0, -1, 0), ofEpoch("an epoch to come", topic, 0, -1, 7),
		ofEpoch("a current epoch to come", topic, 0, 7, 0), ofEpoch("an undefined epoch", topic, 0, -1, -1), ofEpoch("of nothing", topic, 1, 0, 0),
		ofEpoch("unknown partition", topic, 9, -1, 0), ofEpoch("unknown topic", "raw.unknown", 0, -1, 0),
		cut("beyond the end", topic, 0, 99), cut("negative", topic, 0, -2), cut("to the start", topic, 0, 0), cut("of nothing", topic, 1, -1),
		cut("unknown partition", topic, 9, 0), cut("unknown topic", "raw.unknown", 0, 0), cut("good", scratch, 0, 2), cut("before the start", scratch, 0, 1),
	}
}
