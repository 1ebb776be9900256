package behaviour

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// batch is a record batch as a producer makes it; the zero batch has no producer id.
// Its fields may be set to what no producer would send.
type batch struct {
	kmsg.RecordBatch
	records []kmsg.Record
	raw     []byte // compressed records, in place of records
}

// attributes of a batch
const (
	logAppendTime = 1 << 3
	control       = 1 << 5
)

// newBatch is a batch of plain records with these values, made now.
func newBatch(values ...string) *batch {
	b := &batch{RecordBatch: kmsg.NewRecordBatch()}
	b.Magic, b.PartitionLeaderEpoch = 2, -1
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = -1, -1, -1
	b.FirstTimestamp = time.Now().UnixMilli()
	b.MaxTimestamp = b.FirstTimestamp
	for _, v := range values {
		b.add(nil, []byte(v), b.FirstTimestamp)
	}
	return b
}

func (b *batch) add(key, value []byte, timestamp int64) *batch {
	r := kmsg.NewRecord()
	r.Key, r.Value = key, value
	r.OffsetDelta, r.TimestampDelta64 = int32(len(b.records)), timestamp-b.FirstTimestamp
	r.Length = int32(len(r.AppendTo(nil)) - 1)
	b.MaxTimestamp = max(b.MaxTimestamp, timestamp)
	b.records = append(b.records, r)
	b.NumRecords = int32(len(b.records))
	b.LastOffsetDelta = b.NumRecords - 1
	return b
}

// by makes it a batch of an idempotent producer.
func (b *batch) by(id int64, epoch int16, sequence int32) *batch {
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = id, epoch, sequence
	return b
}

// plain are the records as they stand in a batch that is not compressed.
func (b *batch) plain() []byte {
	var out []byte
	for _, r := range b.records {
		body := r
		body.Length = 0
		n := len(body.AppendTo(nil)) - 1 // a length of 0 takes one byte
		r.Length = int32(n)
		out = r.AppendTo(out)
	}
	return out
}

// bytes are the batch with its length and checksum.
func (b *batch) bytes() []byte {
	rb := b.RecordBatch
	if rb.Records = b.raw; rb.Records == nil {
		rb.Records = b.plain()
	}
	out := rb.AppendTo(nil)
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-12))
	return seal(out)
}

// seal writes the checksum of a batch.
func seal(b []byte) []byte {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}
