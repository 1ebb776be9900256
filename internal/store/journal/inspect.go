package journal

import (
	"fmt"
	"iter"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

// Inspected is a group in a file, for a person to look at.
type Inspected struct {
	Pos      int64
	Sequence uint64
	Oldest   uint64 // sequence of the first group that still matters
	Bytes    int
	Entries  []InspectedEntry
	// Stale means that the group does not follow on the one before it in the file: it
	// is from an earlier use of its place.
	Stale bool
}

// InspectedEntry is an entry of a group. Batches are valid until the next step.
type InspectedEntry struct {
	Kind      string // append, truncate or delete
	ID        model.IDPartition
	Base, End int64
	Batches   []byte
}

func (k kind) String() string {
	switch k {
	case kindAppend:
		return "append"
	case kindTruncate:
		return "truncate"
	case kindDelete:
		return "delete"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Inspect walks over the whole groups of a file, which it does not change, in the order
// in which they lie there. Whether they would be replayed depends on the other files and
// is not judged. An error of the file's header or of reading is the last step.
func Inspect(f vfs.File) iter.Seq2[Inspected, error] {
	return func(yield func(Inspected, error) bool) {
		if err := inspect(f, yield); err != nil {
			yield(Inspected{}, err)
		}
	}
}

func inspect(f vfs.File, yield func(Inspected, error) bool) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	s := &scan{file: &file{handle: f, size: size / blockBytes * blockBytes}}
	head := make([]byte, fileHeaderBytes)
	if err := readFull(f, head, 0); err != nil {
		return err
	}
	h, err := parseFileHeader(head)
	if err != nil {
		return err
	}
	r := reader{salt: h.salt}
	var last groupHeader
	for pos := int64(blockBytes); pos < s.size; {
		h, ok, err := r.header(s, pos)
		if err != nil {
			return err
		}
		if !ok {
			pos += blockBytes
			continue
		}
		g := Inspected{Pos: pos, Sequence: h.seq, Oldest: h.oldest, Bytes: h.length,
			Stale: pos > blockBytes && !h.follows(last)}
		if !g.Stale {
			last = h
		}
		entries, err := parseEntries(r.buf[groupHeaderBytes:h.length], h.entries)
		if err != nil {
			return fmt.Errorf("group at %d: %w", pos, err)
		}
		for _, e := range entries {
			g.Entries = append(g.Entries, InspectedEntry{e.kind.String(), e.id, e.base, e.end, e.batches})
		}
		if !yield(g, nil) {
			return nil
		}
		pos += blocks(h.length)
	}
	return nil
}
