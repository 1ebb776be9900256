package txn

import (
	"encoding/binary"
	"fmt"

	"github.com/odradek/odradek/internal/coord/fields"
	"github.com/odradek/odradek/internal/proto/model"
)

// Records of __transaction_state, as Kafka writes them (docs/formats/transaction-state.md).
// The key is an int16 0 and the transactional id; the value starts with the version of its
// layout, and a null value forgets the id.
const (
	keyTxn          = 0
	maxValueVersion = 1 // flexible, written from transaction.version 1 on

	tagPreviousID = 0
	tagNextID     = 1
	tagVersion    = 2
	// tagLastEpoch is Odradek's own, int16. Kafka passes over it, and forgets the epoch
	// when a coordinator moves.
	tagLastEpoch = 20292

	maxString = fields.MaxString // what a key can hold
)

// value is what the log says of a transactional id.
type value struct {
	producerID int64
	// prevID is the producer id that the last change replaced, noProducer if it left it.
	prevID int64
	// nextID is promised to the producer for when the prepared transaction is complete,
	// because the epochs of producerID are used up.
	nextID int64
	epoch  int16
	// lastEpoch is the epoch that the producer had before this one, if a producer that
	// still believes to have it may go on: its answer may have been lost (KIP-360).
	lastEpoch     int16
	timeoutMillis int32
	phase         phase
	version       int8  // of transactions, as the client of this one knows them
	started       int64 // milliseconds; noTime if there was no transaction
	updated       int64
	partitions    []model.TopicPartition // sorted, without doubles; nil unless open
}

func appendKey(b []byte, id string) []byte {
	return fields.AppendString(fields.AppendInt16(b, keyTxn), id)
}

// parseKey returns the transactional id of a key; a kind that is not known has none.
func parseKey(b []byte) (kind int16, id string, err error) {
	r := fields.Reader{Rest: b}
	if kind = r.Int16(); r.Err == nil && kind == keyTxn {
		id = r.String(false)
	}
	if r.Err != nil {
		return kind, "", fmt.Errorf("key of type %d, %d bytes: %w", kind, len(b), r.Err)
	}
	return kind, id, nil
}

func parseValue(b []byte) (value, error) {
	r := fields.Reader{Rest: b}
	version := r.Int16()
	if r.Err == nil && (version < 0 || version > maxValueVersion) {
		return value{}, fmt.Errorf("value has version %d, versions 0 to %d are known", version, maxValueVersion)
	}
	compact := version >= 1
	v := value{prevID: noProducer, nextID: noProducer, lastEpoch: noEpoch}
	v.producerID, v.epoch, v.timeoutMillis = r.Int64(), r.Int16(), r.Int32()
	v.phase = phase(r.Int8())
	v.partitions = parsePartitions(&r, compact)
	v.updated, v.started = r.Int64(), r.Int64()
	if compact {
		r.Tags(func(tag int, field *fields.Reader) {
			switch tag {
			case tagPreviousID:
				v.prevID = field.Int64()
			case tagNextID:
				v.nextID = field.Int64()
			case tagVersion:
				v.version = int8(field.Int16())
			case tagLastEpoch:
				v.lastEpoch = field.Int16()
			}
		})
	}
	if r.Err != nil {
		return v, fmt.Errorf("value of version %d, %d bytes: %w", version, len(b), r.Err)
	}
	if !v.phase.valid() {
		return v, fmt.Errorf("value has state %d: %w", v.phase, fields.ErrMalformed)
	}
	v.infer()
	return v, nil
}

// infer fills in what Kafka does not write and what follows from the rest. With a bump at
// every end, the epoch before is known in the states of an end.
func (v *value) infer() {
	if v.prevID == v.producerID {
		v.prevID = noProducer
	}
	if v.phase == empty || v.phase == ongoing || v.version < bumps || v.lastEpoch != noEpoch {
		return
	}
	if v.epoch > 0 {
		v.lastEpoch = v.epoch - 1
	} else if v.prevID != noProducer {
		v.lastEpoch = maxEpoch - 1
	}
}

func parsePartitions(r *fields.Reader, compact bool) []model.TopicPartition {
	var all []model.TopicPartition
	for n := r.Count(compact); n > 0 && r.Err == nil; n-- {
		topic := r.String(compact)
		if len(topic) > fields.MaxString {
			r.Fail() // version 0 could not say it again
		}
		for n := r.Count(compact); n > 0 && r.Err == nil; n-- {
			all = append(all, model.TopicPartition{Topic: topic, Partition: r.Int32()})
		}
		if compact {
			r.Tags(nil)
		}
	}
	return union(nil, all)
}

// append writes the value in version 0, or in version 1, the flexible one.
func (v *value) append(b []byte, version int16) []byte {
	compact := version >= 1
	b = fields.AppendInt64(fields.AppendInt16(b, version), v.producerID)
	b = fields.AppendInt32(fields.AppendInt16(b, v.epoch), v.timeoutMillis)
	b = append(b, byte(v.phase))
	b = v.appendPartitions(b, compact)
	b = fields.AppendInt64(fields.AppendInt64(b, v.updated), v.started)
	if compact {
		b = v.appendTags(b)
	}
	return b
}

// appendPartitions groups the partitions, which are sorted, by topic.
func (v *value) appendPartitions(b []byte, compact bool) []byte {
	if v.phase == empty {
		return fields.AppendCount(b, -1, compact)
	}
	topics := 0
	for i, tp := range v.partitions {
		if i == 0 || tp.Topic != v.partitions[i-1].Topic {
			topics++
		}
	}
	b = fields.AppendCount(b, topics, compact)
	for rest := v.partitions; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Topic == rest[0].Topic {
			n++
		}
		if compact {
			b = fields.AppendCompactString(b, rest[0].Topic)
		} else {
			b = fields.AppendString(b, rest[0].Topic)
		}
		b = fields.AppendCount(b, n, compact)
		for _, tp := range rest[:n] {
			b = fields.AppendInt32(b, tp.Partition)
		}
		if compact {
			b = append(b, 0)
		}
		rest = rest[n:]
	}
	return b
}

func (v *value) appendTags(b []byte) []byte {
	var tags []byte
	n := 0
	tag := func(number int, field []byte) {
		n++
		tags = binary.AppendUvarint(tags, uint64(number))
		tags = append(binary.AppendUvarint(tags, uint64(len(field))), field...)
	}
	if v.prevID != noProducer {
		tag(tagPreviousID, fields.AppendInt64(nil, v.prevID))
	}
	if v.nextID != noProducer {
		tag(tagNextID, fields.AppendInt64(nil, v.nextID))
	}
	if v.version != 0 {
		tag(tagVersion, fields.AppendInt16(nil, int16(v.version)))
	}
	if v.lastEpoch != noEpoch {
		if w := (value{producerID: v.producerID, prevID: v.prevID, epoch: v.epoch, lastEpoch: noEpoch, phase: v.phase, version: v.version}); w.inferred() != v.lastEpoch {
			tag(tagLastEpoch, fields.AppendInt16(nil, v.lastEpoch))
		}
	}
	return append(binary.AppendUvarint(b, uint64(n)), tags...)
}

// inferred is the last epoch that a reader finds by itself.
func (v value) inferred() int16 {
	v.infer()
	return v.lastEpoch
}
