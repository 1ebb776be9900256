// Package compaction decides which records of a compacted log remain. It is pure: an
// OffsetMap learns the last offset of each key from the dirty batches, then a Filter
// turns each batch into what is kept of it. Offsets never change. It does not know
// files, segments or when it is time; who drives it does. It owns no goroutines.
package compaction

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/odradek/odradek/internal/proto/record"
)

// slotBytes is what a key costs: 16 bytes of hash and 8 of offset.
const slotBytes = 24

// OffsetMap knows the last offset of each key, in memory that is fixed when it is made.
//
// It holds hashes in place of keys, so two keys with one hash would be taken for one and
// the older of them would be lost. Kafka takes MD5, for which anybody can make such
// pairs. This takes 16 bytes of SHA-256: by accident two of a billion keys meet with a
// chance of 10^-21, on purpose it takes 2^64 hashes to find a pair.
type OffsetMap struct {
	slots  []slot
	len    int
	most   int // keys, so that probing stays short
	latest int64
}

type slot struct {
	hi, lo uint64
	next   int64 // offset + 1; 0 is an empty slot
}

// NewOffsetMap makes a map of at most maxBytes, and of no more than it takes for keys
// different keys (the number of dirty offsets will do).
func NewOffsetMap(maxBytes, keys int64) *OffsetMap {
	n := max(min(maxBytes/slotBytes, keys+keys/4+16), 16)
	return &OffsetMap{slots: make([]slot, n), most: int(n - n/10), latest: -1}
}

// Len is the number of keys.
func (m *OffsetMap) Len() int { return m.len }

// Latest is the offset up to which (inclusive) the map knows the log; -1 if it knows
// nothing. Records beyond it are kept.
func (m *OffsetMap) Latest() int64 { return m.latest }

// SetLatest raises Latest, over gaps that end a range.
func (m *OffsetMap) SetLatest(offset int64) { m.latest = max(m.latest, offset) }

func hash(key []byte) (hi, lo uint64) {
	sum := sha256.Sum256(key)
	return binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])
}

// find returns the slot of a hash, or the empty one where it would be.
func (m *OffsetMap) find(hi, lo uint64) *slot {
	at, _ := bits.Mul64(hi, uint64(len(m.slots)))
	for {
		s := &m.slots[at]
		if s.next == 0 || s.hi == hi && s.lo == lo {
			return s
		}
		if at++; at == uint64(len(m.slots)) {
			at = 0
		}
	}
}

// put reports whether there was room. Offsets of a key grow.
func (m *OffsetMap) put(key []byte, offset int64) bool {
	hi, lo := hash(key)
	s := m.find(hi, lo)
	if s.next == 0 {
		if m.len >= m.most {
			return false
		}
		m.len++
	}
	*s = slot{hi, lo, offset + 1}
	return true
}

// get returns the last offset of a key, -1 if there is none.
func (m *OffsetMap) get(key []byte) int64 { return m.find(hash(key)).next - 1 }

// Add learns the records of b from offset from on. Batches come in order, each to one
// Txns that knows the aborted transactions of the range. full means that the map has no
// room for all keys of b: it knows the log up to the batch before then, and that is as
// far as can be compacted now.
//
// The batch's checksum is verified: ErrCorrupt is damage on the disk, and compaction
// must stop. A payload that cannot be read under a good checksum was stored so; it is
// skipped here and kept by Filter.
func (m *OffsetMap) Add(b record.Batch, txns *Txns, from int64) (full bool, err error) {
	if err := b.Verify(); err != nil {
		return false, fmt.Errorf("batch at %d: %w", b.BaseOffset(), err)
	}
	if b.LastOffset() < from {
		txns.see(b)
		return false, nil
	}
	if !txns.see(b) && !b.Control() {
		if full, err = m.addRecords(b, from); full || err != nil {
			return full, err
		}
	}
	m.SetLatest(b.LastOffset())
	return false, nil
}

func (m *OffsetMap) addRecords(b record.Batch, from int64) (full bool, err error) {
	var r record.Reader
	if err := r.Open(b, record.Limits{}); err != nil {
		return false, nil
	}
	defer r.Close()
	if readable(&r, b) != nil {
		return false, nil
	}
	r.Rewind(b)
	for r.Next() {
		if r.View.Key != nil && r.View.Offset >= from && !m.put(r.View.Key, r.View.Offset) {
			return true, nil
		}
	}
	return false, nil
}

// errOffsets means records that do not lie in their batch, or not in order.
var errOffsets = errors.New("record offsets do not grow within the batch")

// readable walks a batch that was opened to its end, and tells why it cannot be read.
func readable(r *record.Reader, b record.Batch) error {
	last := b.BaseOffset() - 1
	for r.Next() {
		if r.View.Offset <= last || r.View.Offset > b.LastOffset() {
			return errOffsets
		}
		last = r.View.Offset
	}
	return r.Err()
}
