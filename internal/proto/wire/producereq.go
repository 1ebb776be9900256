package wire

import (
	"encoding/binary"
	"slices"

	"github.com/odradek/odradek/internal/proto/model"
)

// ProduceRequest is a Produce request, version 3 to 13. Records alias the frame; the
// strings do not. It may be decoded into again and again, and then allocates no more
// than the topics' names.
type ProduceRequest struct {
	TransactionalID *string
	Acks            int16
	TimeoutMillis   int32
	Topics          []ProduceTopic

	partitions []ProducePartition // what Topics[i].Partitions are cut from
}

// ProduceTopic has a Name (to 12) or an ID (13).
type ProduceTopic struct {
	Name       string
	ID         model.ID
	Partitions []ProducePartition
}

// ProducePartition has the batches of one partition, nil if they are null.
type ProducePartition struct {
	Index   int32
	Records []byte
}

// Decode reads the body of a request. It trusts nothing: what does not match the
// schema, or claims more than its bytes, is an error that matches ErrMalformed.
//
//	transactional id nullable string | acks int16 | timeout int32 | topics | tags (9)
//	topic: name (to 12) or id (13) | partitions | tags (9)
//	partition: index int32 | records nullable bytes | tags (9)
func (p *ProduceRequest) Decode(version int16, body []byte) error {
	w := walker{rest: body, budget: budgetFor(len(body)), version: version, flexible: version >= 9}
	p.TransactionalID = w.readNullableString("TransactionalId")
	p.Acks = int16(w.readInt(2, "Acks"))
	p.TimeoutMillis = int32(w.readInt(4, "TimeoutMs"))
	p.Topics, p.partitions = p.Topics[:0], p.partitions[:0]
	topics := w.readCount(3, "TopicData")
	// Cutting Partitions must wait until partitions has stopped moving.
	counts := make([]int, 0, 8)
	for ; topics > 0 && w.err == nil; topics-- {
		counts = append(counts, p.decodeTopic(&w))
	}
	w.readTags()
	if w.err == nil && len(w.rest) > 0 {
		w.fail("bytes left over", "")
	}
	if w.err != nil {
		return w.err
	}
	at := 0
	for i, n := range counts {
		p.Topics[i].Partitions = p.partitions[at : at+n : at+n]
		at += n
	}
	return nil
}

// decodeTopic returns how many partitions it has appended.
func (p *ProduceRequest) decodeTopic(w *walker) int {
	var t ProduceTopic
	if w.version < 13 {
		t.Name = w.readString("Name")
	} else {
		copy(t.ID[:], w.take(16, "TopicId"))
	}
	n := w.readCount(6, "PartitionData")
	if w.err != nil {
		return 0
	}
	p.partitions = slices.Grow(p.partitions, n)
	for i := 0; i < n && w.err == nil; i++ {
		index := int32(w.readInt(4, "Index"))
		records := w.readNullableBytes("Records")
		w.readTags()
		p.partitions = append(p.partitions, ProducePartition{index, records})
	}
	w.readTags()
	p.Topics = append(p.Topics, t)
	return n
}

// take steps over n bytes and returns them, or nil.
func (w *walker) take(n int, where string) []byte {
	if n > len(w.rest) {
		w.fail("truncated", where)
		return nil
	}
	b := w.rest[:n:n]
	w.rest = w.rest[n:]
	return b
}

// readInt reads a signed integer of size bytes.
func (w *walker) readInt(size int, where string) int64 {
	b := w.take(size, where)
	switch {
	case b == nil:
		return 0
	case size == 2:
		return int64(int16(binary.BigEndian.Uint16(b)))
	}
	return int64(int32(binary.BigEndian.Uint32(b)))
}

// readCount reads the count of an array that is not null, whose elements have least
// bytes.
func (w *walker) readCount(least int, where string) int {
	n := w.length(kindArray, where)
	if w.err == nil && (n < 0 || n > len(w.rest)/least) {
		w.fail("null, or more elements than bytes", where)
	}
	if w.err != nil {
		return 0
	}
	return n
}

func (w *walker) readNullable(k kind, where string) []byte {
	n := w.length(k, where)
	if n < 0 {
		if n < -1 {
			w.fail("negative length", where)
		}
		return nil
	}
	return w.take(n, where)
}

func (w *walker) readNullableBytes(where string) []byte { return w.readNullable(kindBytes, where) }

func (w *walker) readNullableString(where string) *string {
	b := w.readNullable(kindString, where)
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

func (w *walker) readString(where string) string {
	b := w.readNullable(kindString, where)
	if b == nil && w.err == nil {
		w.fail("null", where)
	}
	return string(b)
}

func (w *walker) readTags() {
	if w.flexible && w.err == nil {
		w.tags(nil, w.version)
	}
}
