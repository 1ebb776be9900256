package raw

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	topic   = "raw.topic"   // two partitions, ten records in the first
	scratch = "raw.scratch" // one partition that the cases write to
	epoch   = 1_700_000_000_000
)

// prepare makes the topics that the cases ask about and waits until they can be asked about.
func (s *session) prepare() error {
	for name, partitions := range map[string]int32{topic: 2, scratch: 1} {
		req := createTopic(name, partitions)
		resp, err := s.ask(req, 7)
		if err != nil {
			return fmt.Errorf("create %s: %w", name, err)
		}
		t := resp.(*kmsg.CreateTopicsResponse).Topics[0]
		if t.ErrorCode != 0 {
			return fmt.Errorf("create %s: error %d", name, t.ErrorCode)
		}
		s.ids[name] = t.TopicID
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if code, err := s.first(); err != nil {
			return err
		} else if code == 0 {
			s.begin("prepare", 0) // makes sure of the transaction coordinator
			return nil
		} else if time.Now().After(end) {
			return fmt.Errorf("produce to %s: error %d", topic, code)
		}
	}
}

// first writes the records of the topic and makes sure of the group coordinator.
func (s *session) first() (int16, error) {
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey = "raw.group"
	r, err := s.ask(find, 3)
	if err != nil {
		return 0, err
	}
	if code := r.(*kmsg.FindCoordinatorResponse).ErrorCode; code != 0 {
		return code, nil
	}
	fetch := kmsg.NewPtrOffsetFetchRequest()
	fetch.Group = "raw.group"
	if r, err = s.ask(fetch, 7); err != nil {
		return 0, err
	}
	if code := r.(*kmsg.OffsetFetchResponse).ErrorCode; code != 0 {
		return code, nil
	}
	id := kmsg.NewPtrInitProducerIDRequest()
	id.TransactionTimeoutMillis = 60000
	if r, err = s.ask(id, 4); err != nil {
		return 0, err
	}
	if code := r.(*kmsg.InitProducerIDResponse).ErrorCode; code != 0 {
		return code, nil
	}
	if r, err = s.ask(s.listOffsets(scratch, 0, -1, -1), 7); err != nil {
		return 0, err
	}
	if code := r.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
		return code, nil
	}
	if r, err = s.ask(s.produce(topic, 0, batch(10)), 9); err != nil {
		return 0, err
	}
	return r.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil
}

func createTopic(name string, partitions int32) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	c := kmsg.NewCreateTopicsRequestTopicConfig()
	forever := "-1"
	c.Name, c.Value = "retention.ms", &forever
	t.Configs = append(t.Configs, c)
	req.Topics = append(req.Topics, t)
	req.TimeoutMillis = 5000
	return req
}

func (s *session) listOffsets(name string, partition int32, at int64, leaderEpoch int32) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = name
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp, p.CurrentLeaderEpoch = partition, at, leaderEpoch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func (s *session) produce(name string, partition int32, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 5000
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = name, s.ids[name]
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// batch is a record batch of n records, a second apart but for the last two, which have
// the same time.
func batch(n int) []byte {
	var records []byte
	for i := range n {
		r := kmsg.NewRecord()
		r.OffsetDelta, r.TimestampDelta64 = int32(i), int64(min(i, n-2))*1000
		r.Key, r.Value = fmt.Appendf(nil, "k%d", i), fmt.Appendf(nil, "value %d", i)
		body := r.AppendTo(nil)[1:] // without the length, which fits one byte as zero
		records = append(kbin.AppendVarint(records, int32(len(body))), body...)
	}
	b := kmsg.NewRecordBatch()
	b.PartitionLeaderEpoch, b.Magic = -1, 2
	b.LastOffsetDelta, b.NumRecords = int32(n-1), int32(n)
	b.FirstTimestamp, b.MaxTimestamp = epoch, epoch+int64(n-2)*1000
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = -1, -1, -1
	b.Records = records
	return seal(b.AppendTo(nil))
}

// seal fills in a batch's length and checksum.
func seal(b []byte) []byte {
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func idText(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }
