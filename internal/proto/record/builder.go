package record

import (
	"encoding/binary"
	"fmt"
)

// BuilderConfig says what stands in the head of a batch. The zero value makes a plain
// batch without producer, from offset 0.
type BuilderConfig struct {
	Codec      Codec
	Level      int // as for Compress
	BaseOffset int64
	Epoch      int32 // of the leader

	// The producer counts if it is not all zero, or if Idempotent, Transactional or
	// Control is set: a batch of producer 0 needs one of them. A negative ProducerID is
	// none. Control batches carry NoSequence.
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Idempotent    bool
	Transactional bool
	Control       bool

	// LogAppendTime marks the batch so and gives all its records the time AppendTime.
	LogAppendTime bool
	AppendTime    int64

	// DeleteHorizon, if not 0, marks the batch with the time from which its tombstones
	// may go (KIP-534); record timestamps count from it then.
	DeleteHorizon int64
}

// ConfigOf is the head of b, so that a Builder makes another batch like it.
func ConfigOf(b Batch) BuilderConfig {
	c := BuilderConfig{
		Codec: b.Codec(), BaseOffset: b.BaseOffset(), Epoch: b.LeaderEpoch(),
		ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(), BaseSequence: b.BaseSequence(),
		Idempotent: b.HasProducer(), Transactional: b.Transactional(), Control: b.Control(),
		LogAppendTime: b.LogAppendTime(), AppendTime: b.MaxTimestamp(),
	}
	if b.HasDeleteHorizon() {
		c.DeleteHorizon = b.BaseTimestamp()
	}
	return c
}

// AppendEmpty appends a batch without records that stands where b stood: the same
// offsets, producer, sequences and greatest timestamp.
func AppendEmpty(dst []byte, b Batch) []byte {
	start := len(dst)
	dst = append(dst, b[:HeaderLen]...)
	e := Batch(dst[start:])
	binary.BigEndian.PutUint32(e[posLength:], HeaderLen-LogOverhead)
	binary.BigEndian.PutUint16(e[posAttributes:], uint16(b.Attributes()&^(CodecMask|DeleteHorizonBit)))
	binary.BigEndian.PutUint64(e[posBaseTimestamp:], 1<<64-1) // NoTimestamp
	binary.BigEndian.PutUint32(e[posCount:], 0)
	e.seal()
	return dst
}

func (c *BuilderConfig) hasProducer() bool {
	return c.ProducerID >= 0 && (c.ProducerID > 0 || c.ProducerEpoch > 0 || c.BaseSequence > 0 ||
		c.Idempotent || c.Transactional || c.Control)
}

// Builder makes one batch.
type Builder struct {
	cfg      BuilderConfig
	buf      []byte // room for the header, then records, not compressed
	count    int32
	last     int32 // offset delta
	baseTime int64
	maxTime  int64
}

// NewBuilder starts a batch.
func NewBuilder(cfg BuilderConfig) *Builder {
	b := new(Builder)
	b.Reset(cfg)
	return b
}

// Reset starts another batch and forgets what was appended.
func (b *Builder) Reset(cfg BuilderConfig) {
	buf := b.buf
	if cap(buf) < HeaderLen {
		buf = make([]byte, HeaderLen, 512)
	}
	*b = Builder{cfg: cfg, buf: buf[:HeaderLen], last: -1, maxTime: NoTimestamp}
}

// Append adds a record at the next offset; r.Offset does not matter.
func (b *Builder) Append(r Record) {
	offset := b.cfg.BaseOffset + int64(b.last) + 1
	at := b.begin(offset, r.Timestamp, r.Attributes, tailLen(&r))
	b.buf = appendNullable(at, r.Key)
	b.buf = appendNullable(b.buf, r.Value)
	b.buf = appendVarint(b.buf, int32(len(r.Headers)))
	for i := range r.Headers {
		b.buf = appendVarint(b.buf, int32(len(r.Headers[i].Key)))
		b.buf = append(b.buf, r.Headers[i].Key...)
		b.buf = appendNullable(b.buf, r.Headers[i].Value)
	}
}

// AppendView copies a record as it stands to the given offset, which must grow from one
// record to the next but may leave gaps.
func (b *Builder) AppendView(v *View, offset int64) {
	b.buf = append(b.begin(offset, v.Timestamp, v.Attributes, len(v.tail)), v.tail...)
}

// begin writes a record up to its key.
func (b *Builder) begin(offset, timestamp int64, attributes int8, tail int) []byte {
	delta := offset - b.cfg.BaseOffset
	if delta <= int64(b.last) || delta > 1<<31-1 {
		panic(fmt.Sprintf("bug: record at offset %d in a batch from %d, after delta %d", offset, b.cfg.BaseOffset, b.last))
	}
	if b.count == 0 {
		b.baseTime = timestamp
		if b.cfg.DeleteHorizon != 0 {
			b.baseTime = b.cfg.DeleteHorizon
		}
	}
	b.count++
	b.last = int32(delta)
	b.maxTime = max(b.maxTime, timestamp)
	since := timestamp - b.baseTime
	length := 1 + varintLen(since) + varintLen(delta) + tail
	buf := appendVarint(b.buf, int32(length))
	buf = append(buf, byte(attributes))
	buf = appendVarlong(buf, since)
	return appendVarint(buf, b.last)
}

func appendNullable(b, field []byte) []byte {
	if field == nil {
		return append(b, 1) // -1
	}
	return append(appendVarint(b, int32(len(field))), field...)
}

func tailLen(r *Record) int {
	n := nullableLen(r.Key) + nullableLen(r.Value) + varintLen(int64(len(r.Headers)))
	for i := range r.Headers {
		n += varintLen(int64(len(r.Headers[i].Key))) + len(r.Headers[i].Key) + nullableLen(r.Headers[i].Value)
	}
	return n
}

func nullableLen(field []byte) int {
	if field == nil {
		return 1
	}
	return varintLen(int64(len(field))) + len(field)
}

// Size is the batch's size in bytes so far, before compression.
func (b *Builder) Size() int { return len(b.buf) }

// Len is how many records were appended.
func (b *Builder) Len() int { return int(b.count) }

// Build ends the batch and hands it over; the Builder is empty then and may be Reset.
// Without a record it returns nil.
func (b *Builder) Build() (Batch, error) {
	if b.count == 0 {
		return nil, nil
	}
	if b.cfg.Codec != None {
		return b.AppendTo(make([]byte, 0, HeaderLen+len(b.buf)/2), b.cfg.BaseOffset+int64(b.last))
	}
	batch := Batch(b.buf)
	b.buf = nil
	b.head(batch, b.last)
	return batch, nil
}

// AppendTo ends the batch at offset last, which may lie beyond its last record, and
// appends its bytes to dst. The Builder keeps its memory and may be Reset.
func (b *Builder) AppendTo(dst []byte, last int64) ([]byte, error) {
	delta := last - b.cfg.BaseOffset
	if b.count == 0 || delta < int64(b.last) || delta > 1<<31-1 {
		panic(fmt.Sprintf("bug: batch of %d records from %d to %d ends at %d", b.count, b.cfg.BaseOffset, b.last, last))
	}
	start := len(dst)
	out := append(dst, b.buf[:HeaderLen]...)
	out, err := Compress(out, b.cfg.Codec, b.cfg.Level, b.buf[HeaderLen:])
	if err != nil {
		return dst, fmt.Errorf("compress %d records: %w", b.count, err)
	}
	b.head(Batch(out[start:]), int32(delta))
	return out, nil
}

// head writes the header of batch, the CRC last.
func (b *Builder) head(batch Batch, last int32) {
	c := &b.cfg
	pid, epoch, seq := NoProducerID, int16(-1), NoSequence
	if c.hasProducer() {
		pid, epoch, seq = c.ProducerID, c.ProducerEpoch, c.BaseSequence
	}
	if c.Control {
		seq = NoSequence
	}
	maxTime := b.maxTime
	if c.LogAppendTime {
		maxTime = c.AppendTime
	}
	batch.Stamp(c.BaseOffset, c.Epoch)
	binary.BigEndian.PutUint32(batch[posLength:], uint32(len(batch)-LogOverhead))
	batch[posMagic] = magic2
	binary.BigEndian.PutUint16(batch[posAttributes:], uint16(c.attributes()))
	binary.BigEndian.PutUint32(batch[posLastDelta:], uint32(last))
	binary.BigEndian.PutUint64(batch[posBaseTimestamp:], uint64(b.baseTime))
	binary.BigEndian.PutUint64(batch[posMaxTimestamp:], uint64(maxTime))
	binary.BigEndian.PutUint64(batch[posProducerID:], uint64(pid))
	binary.BigEndian.PutUint16(batch[posProducerEpoch:], uint16(epoch))
	binary.BigEndian.PutUint32(batch[posBaseSequence:], uint32(seq))
	binary.BigEndian.PutUint32(batch[posCount:], uint32(b.count))
	batch.seal()
}

func (c *BuilderConfig) attributes() int16 {
	a := int16(c.Codec)
	for _, bit := range [...]struct {
		set bool
		bit int16
	}{
		{c.LogAppendTime, LogAppendTimeBit}, {c.Transactional, TransactionalBit},
		{c.Control, ControlBit}, {c.DeleteHorizon != 0, DeleteHorizonBit},
	} {
		if bit.set {
			a |= bit.bit
		}
	}
	return a
}
