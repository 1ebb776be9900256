package record

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// RecordError is why one record had its whole batch refused (KIP-467). Index counts
// from 0 in the batch.
type RecordError struct {
	Index   int32
	Message string
}

// maxRecordErrors is how many are told: producers fail the batch either way, and a
// batch of a million bad records shall not make an answer of a hundred megabytes.
const maxRecordErrors = 100

// Validated is what was found out about a batch.
type Validated struct {
	// MaxTimestamp of the batch as it is stored, NoTimestamp for none.
	MaxTimestamp int64
	// Rebuilt means that the batch returned is another one: recompressed or renumbered.
	Rebuilt bool
	// RecordErrors, beside an error, name the records that caused it, 100 at most.
	RecordErrors []RecordError
}

// Single reads the one batch that a Produce request has for a partition.
// It returns INVALID_RECORD for none, for a batch that is cut short, for more than one,
// for an old format and for counts that its producer got wrong; CORRUPT_MESSAGE, which
// clients send again, for a header that was damaged.
func Single(bytes []byte) (Batch, error) {
	b, rest, err := Split(bytes)
	switch {
	case errors.Is(err, ErrShort):
		return nil, model.Explain(kerr.InvalidRecord, "Produce requests must have at least one record batch per partition")
	case errors.Is(err, ErrMagic):
		return nil, model.Explain(kerr.InvalidRecord, "Produce requests are only allowed to contain record batches with magic version 2")
	case errors.Is(err, errCounts) && intact(bytes):
		return nil, model.Explain(kerr.InvalidRecord, err.Error())
	case err != nil:
		return nil, model.Explain(kerr.CorruptMessage, err.Error())
	case len(rest) > 0:
		return nil, model.Explain(kerr.InvalidRecord, "Produce requests are only allowed to contain exactly one record batch per partition")
	}
	return b, nil
}

// intact reports whether bytes begin with a batch as it was sent: a header's sanity
// aside, all of it is there and its checksum is right.
func intact(bytes []byte) bool {
	size := int64(int32(binary.BigEndian.Uint32(bytes[posLength:]))) + LogOverhead
	return size <= int64(len(bytes)) && Batch(bytes[:size]).Verify() == nil
}

// Validate checks a batch of a client by the rules of its topic and makes it what is
// stored: b itself, changed in place at most in its timestamp header, or another one if
// it had to be recompressed. A batch that needs nothing costs no allocation.
//
// Its errors are what Kafka's producers are told: MESSAGE_TOO_LARGE, CORRUPT_MESSAGE,
// UNSUPPORTED_COMPRESSION_TYPE, INVALID_RECORD and INVALID_TIMESTAMP; the last two
// may come with RecordErrors.
func Validate(b Batch, r Rules, nowMillis int64) (Batch, Validated, error) {
	if err := r.checkHeader(b); err != nil {
		return nil, Validated{}, err
	}
	if b.Codec() != None && !r.mustOpen(b, nowMillis) {
		return b, Validated{MaxTimestamp: r.setTimes(b, b.MaxTimestamp(), nowMillis)}, nil
	}
	return r.open(b, nowMillis)
}

// checkHeader is what can be said without looking at records. The order is Kafka's.
func (r *Rules) checkHeader(b Batch) error {
	codec, delta := b.Codec(), int64(b.LastOffsetDelta())
	switch {
	case codec == Zstd && r.ProduceVersion > 0 && r.ProduceVersion < 7:
		return model.Explain(kerr.UnsupportedCompressionType,
			fmt.Sprintf("Produce requests with version %d are not allowed to use ZStandard compression", r.ProduceVersion))
	case b.BaseOffset() != 0:
		return invalid("The baseOffset of the record batch should be 0, but it is %d", b.BaseOffset())
	case len(b) > r.MaxMessageBytes:
		return tooLarge(len(b), r.MaxMessageBytes)
	case b.Sum() != b.CRC():
		return model.Explain(kerr.CorruptMessage, fmt.Sprintf("Record is corrupt (stored crc = %d, computed crc = %d)", b.CRC(), b.Sum()))
	case !codec.Known():
		return model.Explain(kerr.UnsupportedCompressionType, fmt.Sprintf("Unknown compression type id: %d", codec))
	case b.Count() <= 0:
		return invalid("Invalid reported count for record batch: %d", b.Count())
	case delta+1 != int64(b.Count()):
		return invalid("Inconsistent batch offset range [0, %d] and count of records %d", delta, b.Count())
	case b.Control():
		return invalid("Clients are not allowed to write control records")
	case b.HasProducer() && b.BaseSequence() < 0:
		return invalid("Invalid sequence number %d in record batch with producerId %d", b.BaseSequence(), b.ProducerID())
	}
	return nil
}

func invalid(format string, args ...any) error {
	return model.Explain(kerr.InvalidRecord, fmt.Sprintf(format, args...))
}

func tooLarge(size, limit int) error {
	return model.Explain(kerr.MessageTooLarge,
		fmt.Sprintf("The record batch size is %d bytes which exceeds the maximum configured value of %d", size, limit))
}

// open looks at every record, and rebuilds the batch if it is to be stored otherwise.
func (r *Rules) open(b Batch, nowMillis int64) (Batch, Validated, error) {
	var records Reader
	if err := records.Open(b, r.Limits); err != nil {
		return nil, Validated{}, invalid("The records of the batch cannot be read: %v", err)
	}
	defer records.Close()
	seen, err := r.walk(&records, nowMillis)
	if err != nil {
		return nil, Validated{RecordErrors: seen.errs}, err
	}
	if to, level := r.target(b.Codec()); to != b.Codec() || !seen.inOrder {
		return r.rebuild(b, &records, to, level, nowMillis)
	}
	return b, Validated{MaxTimestamp: r.setTimes(b, seen.maxTime, nowMillis)}, nil
}

// walked is what the records of a batch are like.
type walked struct {
	maxTime int64
	inOrder bool // offset deltas are 0, 1, 2 …
	errs    []RecordError
}

func (r *Rules) walk(records *Reader, nowMillis int64) (walked, error) {
	w := walked{maxTime: NoTimestamp, inOrder: true}
	bad, badTimes := 0, 0
	index := int32(0)
	for ; records.Next(); index++ {
		v := &records.View
		w.maxTime = max(w.maxTime, v.Timestamp)
		w.inOrder = w.inOrder && v.offsetDelta == index
		keyless := r.Compacted && v.Key == nil
		if !keyless && !r.badTime(v, records.appendTime, nowMillis) {
			continue
		}
		if bad++; !keyless {
			badTimes++
		}
		if len(w.errs) < maxRecordErrors {
			w.errs = append(w.errs, RecordError{index, r.complain(v, keyless, nowMillis)})
		}
	}
	if err := records.Err(); err != nil {
		return walked{}, invalid("The records of the batch cannot be read: record %d: %v", index, err)
	}
	return w, refusal(w.errs, bad, badTimes)
}

// badTime is Kafka's rule: a create time is held against the limits, and where there is
// none to hold, the producer must not have claimed the broker's.
func (r *Rules) badTime(v *View, claimed bool, nowMillis int64) bool {
	if !r.LogAppendTime && v.Timestamp != NoTimestamp {
		return r.outOfRange(v.Timestamp, nowMillis)
	}
	return claimed
}

func (r *Rules) complain(v *View, keyless bool, nowMillis int64) string {
	switch {
	case keyless:
		return "Compacted topic cannot accept message without key"
	case r.LogAppendTime || v.Timestamp == NoTimestamp:
		return "Invalid timestamp type in message. Producer should not set timestamp type to LogAppendTime."
	}
	return fmt.Sprintf("Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]",
		v.Timestamp, v.Offset, nowMillis-r.BeforeMaxMs, nowMillis+r.AfterMaxMs)
}

// refusal is the error of a batch with bad records: of their times if any is.
func refusal(errs []RecordError, bad, badTimes int) error {
	switch {
	case bad == 0:
		return nil
	case badTimes > 0:
		return model.Explain(kerr.InvalidTimestamp, "One or more records have been rejected due to invalid timestamp")
	}
	return invalid("One or more records have been rejected due to %d record errors in total, and only showing the first three errors at most: %v",
		bad, errs[:min(3, len(errs))])
}

// setTimes writes the timestamp type and the greatest timestamp, and the CRC if that
// changed anything. It returns the timestamp. A delete horizon is compaction's to set:
// a client's would have its tombstones dropped too early, so it is taken away.
func (r *Rules) setTimes(b Batch, maxTime, nowMillis int64) int64 {
	attributes := b.Attributes() &^ (LogAppendTimeBit | DeleteHorizonBit)
	if r.LogAppendTime {
		attributes |= LogAppendTimeBit
		maxTime = nowMillis
	}
	if attributes != b.Attributes() || maxTime != b.MaxTimestamp() {
		binary.BigEndian.PutUint16(b[posAttributes:], uint16(attributes))
		binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(maxTime))
		b.seal()
	}
	return maxTime
}

// rebuild makes the batch again from its records, numbered from 0 without gaps and
// compressed as the topic wants it.
func (r *Rules) rebuild(b Batch, records *Reader, codec Codec, level int, nowMillis int64) (Batch, Validated, error) {
	builder := NewBuilder(BuilderConfig{
		Codec: codec, Level: level,
		ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(), BaseSequence: b.BaseSequence(),
		Idempotent: b.HasProducer(), Transactional: b.Transactional(),
		LogAppendTime: r.LogAppendTime, AppendTime: nowMillis,
	})
	records.Rewind(b)
	for offset := int64(0); records.Next(); offset++ {
		builder.AppendView(&records.View, offset)
	}
	out, err := builder.Build()
	if err != nil {
		return nil, Validated{}, err
	}
	if len(out) > r.MaxMessageBytes {
		return nil, Validated{}, tooLarge(len(out), r.MaxMessageBytes)
	}
	return out, Validated{MaxTimestamp: out.MaxTimestamp(), Rebuilt: true}, nil
}
