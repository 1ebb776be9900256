package cluster

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Produce asks one node, whether it leads the partition or not, to take a record, and
// returns where it says that it put it. A client library would ask the leader.
func (l *Line) Produce(ctx context.Context, topic string, partition int32, acks int16, value []byte) (offset int64, err error) {
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(9) // the last that names topics and not their ids
	req.Acks, req.TimeoutMillis = acks, 1500
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, batchOf(value)
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := ask[*kmsg.ProduceResponse](ctx, l, req)
	if err != nil {
		return -1, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return -1, fmt.Errorf("an answer about %d topics", len(resp.Topics))
	}
	of := resp.Topics[0].Partitions[0]
	return of.BaseOffset, kerr.ErrorForCode(of.ErrorCode)
}

// batchOf is a batch of one record, without compression and without a producer's id.
func batchOf(value []byte) []byte {
	r := kmsg.NewRecord()
	r.Value = value
	r.Length = int32(len(r.AppendTo(nil)) - 1) // a length of 0 takes one byte
	b := kmsg.NewRecordBatch()
	b.PartitionLeaderEpoch, b.Magic = -1, 2
	b.FirstTimestamp = time.Now().UnixMilli()
	b.MaxTimestamp = b.FirstTimestamp
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = -1, -1, -1
	b.NumRecords, b.Records = 1, r.AppendTo(nil)
	const beforeLength, beforeCRC, covered = 12, 17, 21
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[beforeLength-4:], uint32(len(raw)-beforeLength))
	binary.BigEndian.PutUint32(raw[beforeCRC:], crc32.Checksum(raw[covered:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}
