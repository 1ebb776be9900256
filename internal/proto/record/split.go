package record

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Errors of bytes that are no batch.
var (
	// ErrShort means that the bytes end inside a batch.
	ErrShort = errors.New("record batch is cut short")
	// ErrCorrupt means that they cannot be a batch, or not an undamaged one.
	ErrCorrupt = errors.New("record batch is corrupt")
	// errCounts means that the header contradicts itself; the length may still be right.
	errCounts = fmt.Errorf("counts do not agree: %w", ErrCorrupt)
	// ErrMagic means a format before version 2 (or one of the future).
	ErrMagic = errors.New("record batch has an unsupported magic")
)

// Split cuts the first batch off bytes: the batch with all its records, and the rest.
// Length, magic and the sanity of the counts are checked, the CRC is not: see Verify.
// It returns ErrShort if the bytes end too early, ErrMagic or ErrCorrupt if they are
// no batch.
func Split(bytes []byte) (Batch, []byte, error) {
	b, size, err := SplitHeader(bytes)
	if err != nil {
		return nil, bytes, err
	}
	if len(bytes) < size {
		return nil, bytes, ErrShort
	}
	return b[:size:size], bytes[size:], nil
}

// SplitHeader views a batch of which perhaps only the header has been read, and tells
// the size of the whole. The getters of Batch work; Payload, Sum and Verify do not.
func SplitHeader(bytes []byte) (Batch, int, error) {
	if len(bytes) <= posMagic {
		return nil, 0, ErrShort
	}
	if m := bytes[posMagic]; m != magic2 {
		return nil, 0, fmt.Errorf("magic %d: %w", m, ErrMagic)
	}
	length := int64(int32(binary.BigEndian.Uint32(bytes[posLength:])))
	if length < minLengthField || length > maxBatchLength {
		return nil, 0, fmt.Errorf("length field %d: %w", length, ErrCorrupt)
	}
	if len(bytes) < HeaderLen {
		return nil, 0, ErrShort
	}
	b := Batch(bytes)
	if b.LastOffsetDelta() < 0 || b.Count() < 0 || int64(b.Count()) > int64(b.LastOffsetDelta())+1 {
		return nil, 0, fmt.Errorf("%d records over an offset delta of %d: %w", b.Count(), b.LastOffsetDelta(), errCounts)
	}
	return b, int(length) + LogOverhead, nil
}

// Verify compares the CRC with the bytes.
func (b Batch) Verify() error {
	if sum := b.Sum(); sum != b.CRC() {
		return fmt.Errorf("checksum is %08x, computed %08x: %w", b.CRC(), sum, ErrCorrupt)
	}
	return nil
}
