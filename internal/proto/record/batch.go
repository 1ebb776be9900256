package record

import (
	"encoding/binary"
	"hash/crc32"
)

// Layout of a record batch, magic 2 (KIP-98), big endian:
//
//	offset size
//	     0    8  base offset            stamped by the leader
//	     8    4  batch length           bytes after this field
//	    12    4  partition leader epoch stamped by the leader
//	    16    1  magic                  2
//	    17    4  CRC-32C                of everything from byte 21 on
//	    21    2  attributes
//	    23    4  last offset delta
//	    27    8  base timestamp         or the delete horizon, by attribute
//	    35    8  max timestamp
//	    43    8  producer id            -1 for none
//	    51    2  producer epoch
//	    53    4  base sequence
//	    57    4  record count
//	    61    …  records, compressed together if attributes say so
const (
	posBaseOffset    = 0
	posLength        = 8
	posLeaderEpoch   = 12
	posMagic         = 16
	posCRC           = 17
	posAttributes    = 21
	posLastDelta     = 23
	posBaseTimestamp = 27
	posMaxTimestamp  = 35
	posProducerID    = 43
	posProducerEpoch = 51
	posBaseSequence  = 53
	posCount         = 57

	// HeaderLen is the length of a batch without records.
	HeaderLen = 61
	// LogOverhead is what stands before the bytes that the length field counts.
	LogOverhead = 12
)

// Bits of the attributes.
const (
	CodecMask         int16 = 0x07
	LogAppendTimeBit  int16 = 0x08
	TransactionalBit  int16 = 0x10
	ControlBit        int16 = 0x20
	DeleteHorizonBit  int16 = 0x40
	NoProducerID      int64 = -1
	NoSequence        int32 = -1
	NoTimestamp       int64 = -1
	magic2                  = 2
	maxBatchLength          = 1<<31 - 1 - LogOverhead
	minLengthField          = HeaderLen - LogOverhead
	castagnoliCovered       = posAttributes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is a view of the bytes of one record batch; it aliases them. Split and
// SplitHeader make one whose length has been checked, so that getters cannot run
// over the end.
type Batch []byte

func (b Batch) BaseOffset() int64      { return int64(binary.BigEndian.Uint64(b[posBaseOffset:])) }
func (b Batch) LastOffset() int64      { return b.BaseOffset() + int64(b.LastOffsetDelta()) }
func (b Batch) NextOffset() int64      { return b.LastOffset() + 1 }
func (b Batch) Size() int              { return LogOverhead + int(int32(binary.BigEndian.Uint32(b[posLength:]))) }
func (b Batch) LeaderEpoch() int32     { return int32(binary.BigEndian.Uint32(b[posLeaderEpoch:])) }
func (b Batch) Magic() int8            { return int8(b[posMagic]) }
func (b Batch) CRC() uint32            { return binary.BigEndian.Uint32(b[posCRC:]) }
func (b Batch) Attributes() int16      { return int16(binary.BigEndian.Uint16(b[posAttributes:])) }
func (b Batch) LastOffsetDelta() int32 { return int32(binary.BigEndian.Uint32(b[posLastDelta:])) }
func (b Batch) MaxTimestamp() int64    { return int64(binary.BigEndian.Uint64(b[posMaxTimestamp:])) }
func (b Batch) ProducerID() int64      { return int64(binary.BigEndian.Uint64(b[posProducerID:])) }
func (b Batch) ProducerEpoch() int16   { return int16(binary.BigEndian.Uint16(b[posProducerEpoch:])) }
func (b Batch) BaseSequence() int32    { return int32(binary.BigEndian.Uint32(b[posBaseSequence:])) }
func (b Batch) Count() int32           { return int32(binary.BigEndian.Uint32(b[posCount:])) }

// BaseTimestamp is the timestamp that record deltas count from, in milliseconds;
// with DeleteHorizonBit it is the delete horizon instead (KIP-534).
func (b Batch) BaseTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[posBaseTimestamp:])) }

// Codec is how the records are compressed.
func (b Batch) Codec() Codec           { return Codec(b.Attributes() & CodecMask) }
func (b Batch) LogAppendTime() bool    { return b.Attributes()&LogAppendTimeBit != 0 }
func (b Batch) Transactional() bool    { return b.Attributes()&TransactionalBit != 0 }
func (b Batch) Control() bool          { return b.Attributes()&ControlBit != 0 }
func (b Batch) HasDeleteHorizon() bool { return b.Attributes()&DeleteHorizonBit != 0 }

// HasProducer reports whether an idempotent or transactional producer wrote it.
func (b Batch) HasProducer() bool { return b.ProducerID() > NoProducerID }

// LastSequence is the sequence of the last record; sequences wrap from 2^31-1 to 0.
func (b Batch) LastSequence() int32 { return AddSequence(b.BaseSequence(), b.LastOffsetDelta()) }

// Payload is the records, compressed as Codec says.
func (b Batch) Payload() []byte { return b[HeaderLen:] }

// AddSequence adds n, which may be negative, to a sequence number, wrapping between
// 2^31-1 and 0.
func AddSequence(seq, n int32) int32 { return int32((int64(seq) + int64(n)) & (1<<31 - 1)) }

// Stamp sets what the leader decides, in place: the CRC covers neither.
func (b Batch) Stamp(baseOffset int64, leaderEpoch int32) {
	binary.BigEndian.PutUint64(b[posBaseOffset:], uint64(baseOffset))
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(leaderEpoch))
}

// Sum is the CRC-32C that the batch should have.
func (b Batch) Sum() uint32 { return crc32.Checksum(b[castagnoliCovered:], castagnoli) }

// seal writes the CRC after a change of what it covers.
func (b Batch) seal() { binary.BigEndian.PutUint32(b[posCRC:], b.Sum()) }
