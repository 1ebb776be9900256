// Package raw speaks to a broker without a client library: prepared requests of known
// size, written as they are, with a number of them in flight on a connection, and the few
// bytes of each answer that matter. What it measures is the broker's cost and little of
// its own.
package raw

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
)

// Batch makes a sound batch of exactly size bytes, without compression or producer. Its
// records have values of recordSize bytes, but the last, which has up to twice as many,
// and perhaps one that is a byte shorter. A size of 0 means one record. It returns how
// many records there are.
func Batch(size, recordSize int) ([]byte, int, error) {
	values := []int{recordSize}
	if size > 0 {
		if values = valueSizes(size-record.HeaderLen, recordSize); values == nil {
			return nil, 0, fmt.Errorf("no batch has %d bytes in records of %d", size, recordSize)
		}
	}
	now := time.Now().UnixMilli()
	text := Text(2*recordSize + 64)
	b := record.NewBuilder(record.BuilderConfig{})
	for _, n := range values {
		b.Append(record.Record{Value: text[:n], Timestamp: now})
	}
	batch, err := b.Build()
	if err != nil || size > 0 && len(batch) != size {
		panic(fmt.Sprintf("bug: a batch of %d bytes has %d: %v", size, len(batch), err))
	}
	return batch, len(values), nil
}

// valueSizes are lengths of values whose records take room bytes together, nil if there
// are none.
func valueSizes(room, recordSize int) []int {
	var sizes []int
	add := func(size int) {
		room -= recordLen(len(sizes), size)
		sizes = append(sizes, size)
	}
	for room >= 2*recordLen(len(sizes), recordSize) {
		add(recordSize)
	}
	// A length takes a byte more from a certain size on: what the last record alone cannot
	// reach, it can after a record that is shorter by one.
	last, ok := lastSize(len(sizes), room)
	if !ok && recordSize > 0 && room > recordLen(len(sizes), recordSize-1) {
		add(recordSize - 1)
		last, ok = lastSize(len(sizes), room)
	}
	if !ok {
		return nil
	}
	return append(sizes, last)
}

// lastSize is the length of a value whose record, the one at delta, takes room bytes.
func lastSize(delta, room int) (int, bool) {
	for size := max(0, room-16); size < room; size++ {
		if recordLen(delta, size) == room {
			return size, true
		}
	}
	return 0, false
}

// recordLen is how many bytes a record takes at the given offset delta: its length, the
// attributes, a time delta of 0, the offset delta, no key, the value and no headers.
func recordLen(delta, value int) int {
	body := 1 + 1 + varintLen(delta) + 1 + varintLen(value) + value + 1
	return varintLen(body) + body
}

func varintLen(n int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutVarint(b[:], int64(n))
}

// Text is text that compresses about as well as JSON does.
func Text(size int) []byte {
	const letters = "etaoin shrdlu{},"
	b, state := make([]byte, size), uint32(1)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = letters[state>>28]
	}
	return b
}
