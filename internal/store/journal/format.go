package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/odradek/odradek/internal/proto/model"
)

// A journal file is made of blocks. The first is the file's header, written once:
//
//	offset  size
//	     0     8  "ODJOURN1"
//	     8     8  salt: the same in all files of a journal, drawn when it was made
//	    16     8  file number
//	    24     4  CRC-32C of bytes 0 to 24
//
// Groups follow, each at the start of a block, filled up with zeros to the next one:
//
//	offset  size
//	     0     4  "ODJG"
//	     4     4  CRC-32C of the group from byte 8
//	     8     8  salt
//	    16     8  sequence: one more than the group before
//	    24     8  oldest: sequence of the first group that still matters
//	    32     4  CRC-32C field of the group before, 0 in a journal's first
//	    36     4  length in bytes, this header included
//	    40     4  number of entries
//	    44        the entries
//
// An entry is:
//
//	offset  size
//	     0     4  length in bytes, this header included
//	     4     1  kind: 1 append, 2 truncate, 3 delete
//	     5     3  zero
//	     8    16  topic id
//	    24     4  partition
//	    28     8  append: first offset; truncate: the log's new end
//	    36     8  append: the offset after the last
//	    44        append: record batches
//
// Integers are big endian. docs/formats/journal.md says why it is so.
const (
	blockBytes       = 4096
	fileHeaderBytes  = 28
	groupHeaderBytes = 44
	entryHeaderBytes = 44

	fileMagic  = "ODJOURN1"
	groupMagic = "ODJG"
)

type kind uint8

const (
	kindAppend   kind = 1
	kindTruncate kind = 2
	kindDelete   kind = 3
)

var (
	be         = binary.BigEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

var errFormat = errors.New("not in the journal's format")

type fileHeader struct {
	salt   uint64
	number uint64
}

func (h fileHeader) encode() []byte {
	b := make([]byte, blockBytes)
	copy(b, fileMagic)
	be.PutUint64(b[8:], h.salt)
	be.PutUint64(b[16:], h.number)
	be.PutUint32(b[24:], crc32.Checksum(b[:24], castagnoli))
	return b
}

func parseFileHeader(b []byte) (fileHeader, error) {
	if len(b) < fileHeaderBytes || string(b[:8]) != fileMagic {
		return fileHeader{}, fmt.Errorf("no file header: %w", errFormat)
	}
	if crc32.Checksum(b[:24], castagnoli) != be.Uint32(b[24:]) {
		return fileHeader{}, fmt.Errorf("wrong checksum of the file header: %w", errFormat)
	}
	return fileHeader{salt: be.Uint64(b[8:]), number: be.Uint64(b[16:])}, nil
}

// groupHeader is the head of a group; sum is its checksum field.
type groupHeader struct {
	sum      uint32
	salt     uint64
	seq      uint64
	oldest   uint64
	previous uint32
	length   int
	entries  int
}

// seal writes the header over the first bytes of a group and returns its sum.
func (h groupHeader) seal(b []byte) uint32 {
	copy(b, groupMagic)
	be.PutUint64(b[8:], h.salt)
	be.PutUint64(b[16:], h.seq)
	be.PutUint64(b[24:], h.oldest)
	be.PutUint32(b[32:], h.previous)
	be.PutUint32(b[36:], uint32(h.length))
	be.PutUint32(b[40:], uint32(h.entries))
	sum := checksum(b[:h.length])
	be.PutUint32(b[4:], sum)
	return sum
}

// parseGroupHeader reads what may be the head of a group. Only the magic is checked.
func parseGroupHeader(b []byte) (groupHeader, bool) {
	if len(b) < groupHeaderBytes || string(b[:4]) != groupMagic {
		return groupHeader{}, false
	}
	return groupHeader{
		sum:      be.Uint32(b[4:]),
		salt:     be.Uint64(b[8:]),
		seq:      be.Uint64(b[16:]),
		oldest:   be.Uint64(b[24:]),
		previous: be.Uint32(b[32:]),
		length:   int(be.Uint32(b[36:])),
		entries:  int(be.Uint32(b[40:])),
	}, true
}

// entry is one entry; batches alias the group.
type entry struct {
	kind      kind
	id        model.IDPartition
	base, end int64
	batches   []byte
}

func (e entry) size() int { return entryHeaderBytes + len(e.batches) }

func (e entry) append(b []byte) []byte {
	b = be.AppendUint32(b, uint32(e.size()))
	b = append(b, byte(e.kind), 0, 0, 0)
	b = append(b, e.id.Topic[:]...)
	b = be.AppendUint32(b, uint32(e.id.Partition))
	b = be.AppendUint64(b, uint64(e.base))
	b = be.AppendUint64(b, uint64(e.end))
	return append(b, e.batches...)
}

// parseEntries reads the entries of a group whose checksum is right.
func parseEntries(b []byte, count int) ([]entry, error) {
	var list []entry
	for range count {
		e, size, err := parseEntry(b)
		if err != nil {
			return nil, fmt.Errorf("entry %d of %d: %w", len(list), count, err)
		}
		list, b = append(list, e), b[size:]
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes after the last entry: %w", len(b), errFormat)
	}
	return list, nil
}

func parseEntry(b []byte) (entry, int, error) {
	if len(b) < entryHeaderBytes {
		return entry{}, 0, fmt.Errorf("%d bytes are too few: %w", len(b), errFormat)
	}
	size := int64(be.Uint32(b))
	if size < entryHeaderBytes || size > int64(len(b)) {
		return entry{}, 0, fmt.Errorf("length %d of %d bytes: %w", size, len(b), errFormat)
	}
	e := entry{
		kind:    kind(b[4]),
		id:      model.IDPartition{Topic: model.ID(b[8:24]), Partition: int32(be.Uint32(b[24:]))},
		base:    int64(be.Uint64(b[28:])),
		end:     int64(be.Uint64(b[36:])),
		batches: b[entryHeaderBytes:size:size],
	}
	return e, int(size), e.check()
}

func (e entry) check() error {
	switch {
	case e.kind < kindAppend || e.kind > kindDelete:
		return fmt.Errorf("kind %d: %w", e.kind, errFormat)
	case e.id.Partition < 0 || e.base < 0:
		return fmt.Errorf("partition %d, offset %d: %w", e.id.Partition, e.base, errFormat)
	case e.kind == kindAppend && e.end <= e.base:
		return fmt.Errorf("offsets %d to %d: %w", e.base, e.end, errFormat)
	case (e.kind == kindAppend) != (len(e.batches) > 0):
		return fmt.Errorf("%d bytes of batches in kind %d: %w", len(e.batches), e.kind, errFormat)
	}
	return nil
}

// blocks rounds up to whole blocks.
func blocks(n int) int64 { return (int64(n) + blockBytes - 1) / blockBytes * blockBytes }

// checksum is the checksum of a group of exactly these bytes.
func checksum(b []byte) uint32 { return crc32.Checksum(b[8:], castagnoli) }
