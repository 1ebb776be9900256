package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Errors of CheckRequest. A connection that earns one is closed.
var (
	ErrUnsupported = errors.New("key or version is not supported")
	ErrMalformed   = errors.New("message does not match its schema")
	ErrTooCostly   = errors.New("request would take far more memory than it has bytes")
)

// budgetFor is the memory that a body of n bytes may ask for when it is decoded.
func budgetFor(n int) int { return 8*n + 1<<20 }

// CheckRequest walks body against the schema of the request, in time that grows with
// len(body) alone. What passes has lengths and counts that its bytes bear out, no
// null where there must be a value, no bytes left over, and decodes into at most
// 8 len(body) + 1 MiB of memory. Strings need not be UTF-8.
// It returns an error that matches ErrUnsupported, ErrMalformed or ErrTooCostly.
func CheckRequest(key, version int16, body []byte) error {
	_, err := measure(key, version, body)
	return err
}

// measure is CheckRequest, and tells how much memory the decoded request takes beside
// its records, which stay in the frame.
func measure(key, version int16, body []byte) (cost int, err error) {
	s, ok := Lookup(key)
	if !ok || !s.Supports(version) {
		return 0, fmt.Errorf("%w: key %d version %d", ErrUnsupported, key, version)
	}
	w := walker{
		rest: body, budget: budgetFor(len(body)),
		version: version, least: int(version - s.Min), flexible: s.Flexible(version),
	}
	w.structure(s.body)
	if w.err == nil && len(w.rest) > 0 {
		w.fail("bytes left over", "")
	}
	if w.err != nil {
		return 0, fmt.Errorf("%s v%d: %w", s.Name, version, w.err)
	}
	cost = budgetFor(len(body)) - w.budget
	switch key {
	case keyProduce:
		cost -= w.bytes
	case keyFetch:
		cost *= fetchFactor
	}
	return cost, nil
}

const (
	keyProduce int16 = 0
	keyFetch   int16 = 1
)

// fetchFactor is what is kept of a Fetch that waits, beside the request itself: its
// session and what was read of each partition.
const fetchFactor = 6

// walker steps over a body. After err is set, rest is empty and every step is idle.
type walker struct {
	rest     []byte
	budget   int
	version  int16
	least    int // index into structure.least
	flexible bool
	lenient  bool // null may stand anywhere, and bytes be left over
	bytes    int  // in fields of kind bytes
	err      error
}

func (w *walker) fail(what, where string) {
	w.rest = nil
	if w.err != nil {
		return
	}
	if where != "" {
		what = where + ": " + what
	}
	w.err = fmt.Errorf("%w: %s", ErrMalformed, what)
}

// charge accounts for n bytes of memory.
func (w *walker) charge(n int, where string) bool {
	w.budget -= n
	if w.budget < 0 && w.err == nil {
		w.rest = nil
		w.err = fmt.Errorf("%w: %s", ErrTooCostly, where)
	}
	return w.err == nil
}

func (w *walker) structure(s *structure) {
	for i := range s.fields {
		f := &s.fields[i]
		if !f.in.has(w.version) || w.flexible && f.tagged.has(w.version) {
			continue
		}
		w.field(f)
		if w.err != nil {
			return
		}
	}
	if w.flexible {
		w.tags(s, w.version)
	}
}

func (w *walker) field(f *field) {
	if n := fixedSize(f.kind); n > 0 {
		w.skip(n, f.name)
		return
	}
	nullable := f.null.has(w.version)
	switch f.kind {
	case kindString, kindBytes:
		w.variable(f.kind, nullable, f.name)
	case kindArray:
		w.array(f, nullable)
	case kindStructure:
		w.optional(f, nullable)
	}
}

func (w *walker) skip(n int, where string) {
	if n > len(w.rest) {
		w.fail("truncated", where)
		return
	}
	w.rest = w.rest[n:]
}

// variable steps over a string or bytes.
func (w *walker) variable(k kind, nullable bool, where string) {
	n := w.length(k, where)
	if n < 0 {
		if n < -1 || !nullable && !w.lenient {
			w.fail("null or negative length", where)
		}
		return
	}
	if nullable && !w.charge(16, where) || !w.charge(n, where) {
		return
	}
	if k == kindBytes {
		w.bytes += n
	}
	w.skip(n, where)
}

func (w *walker) array(f *field, nullable bool) {
	n := w.length(kindArray, f.name)
	if n < 0 {
		if n < -1 || !nullable && !w.lenient {
			w.fail("null or negative count", f.name)
		}
		return
	}
	least, cost := w.element(f)
	if n > len(w.rest)/least {
		w.fail("more elements than bytes", f.name)
		return
	}
	if !w.charge(n*cost, f.name) {
		return
	}
	switch {
	case fixedSize(f.elem) > 0:
		w.skip(n*least, f.name)
	case f.elem == kindStructure:
		for ; n > 0 && w.err == nil; n-- {
			w.structure(f.sub)
		}
	default:
		for ; n > 0 && w.err == nil; n-- {
			w.variable(f.elem, false, f.name)
		}
	}
}

// element is the least encoded size, at least 1, and the decoded size of an element.
func (w *walker) element(f *field) (least, cost int) {
	if n := fixedSize(f.elem); n > 0 {
		return n, n
	}
	switch {
	case f.elem == kindStructure:
		return max(1, int(f.sub.least[w.least])), f.sub.cost
	case w.flexible:
		return 1, 24
	case f.elem == kindString:
		return 2, 24
	}
	return 4, 24
}

// optional steps over a structure, behind a byte of presence if it may be null.
func (w *walker) optional(f *field, nullable bool) {
	if nullable {
		if len(w.rest) == 0 {
			w.fail("truncated", f.name)
			return
		}
		present := int8(w.rest[0])
		w.rest = w.rest[1:]
		if present < 0 {
			return
		}
		if !w.charge(f.sub.cost, f.name) {
			return
		}
	}
	w.structure(f.sub)
}

// tags steps over tagged fields: those that s knows are checked like any field and
// must fill their size.
func (w *walker) tags(s *structure, version int16) {
	n := w.uvarint("tagged fields")
	if n > len(w.rest)/2 {
		w.fail("more tagged fields than bytes", "")
		return
	}
	for ; n > 0 && w.err == nil; n-- {
		tag := w.uvarint("tag")
		size := w.uvarint("tag size")
		if size > len(w.rest) {
			w.fail("truncated", "tagged field")
			return
		}
		if f := s.tagged(tag, version); f != nil {
			w.known(f, size)
			continue
		}
		if f := s.foreign(tag); f != nil {
			w.version = f.tagged.from
			w.known(f, size)
			w.version = version
			continue
		}
		if w.charge(64+size, "tagged fields") {
			w.rest = w.rest[size:]
		}
	}
}

// known checks the value of a tagged field within its size.
func (w *walker) known(f *field, size int) {
	after := w.rest[size:]
	w.rest = w.rest[:size]
	w.field(f)
	if w.err == nil && len(w.rest) > 0 && !w.lenient {
		w.fail("bytes left over", f.name)
	}
	if w.err == nil {
		w.rest = after
	}
}

func (s *structure) tagged(tag int, version int16) *field {
	if s == nil {
		return nil
	}
	for i := range s.fields {
		if f := &s.fields[i]; f.tag == tag && f.tagged.has(version) {
			return f
		}
	}
	return nil
}

// foreign finds a field whose tag belongs to another version: kmsg decodes it in any, so it
// must be what it would be there.
func (s *structure) foreign(tag int) *field {
	if s == nil {
		return nil
	}
	for i := range s.fields {
		if f := &s.fields[i]; f.tag == tag && f.tagged.from <= f.tagged.to {
			return f
		}
	}
	if s == schemas[keyBrokerHeartbeat].body && tag == cordoned.tag {
		return &cordoned
	}
	return nil
}

const keyBrokerHeartbeat = 63

// cordoned is of a Kafka that is newer than the schemas. Of all the tags that kmsg knows in
// requests it is the only one that they lack.
var cordoned = field{name: "CordonedLogDirs", kind: kindArray, elem: kind16, in: versions{2, 2}, null: never, tagged: versions{2, 2}, tag: 1}

// length reads the length or count in front of a variable kind; -1 is null.
func (w *walker) length(k kind, where string) int {
	if w.flexible {
		return w.uvarint(where) - 1
	}
	size := 4
	if k == kindString {
		size = 2
	}
	if len(w.rest) < size {
		w.fail("truncated", where)
		return 0
	}
	b := w.rest
	w.rest = w.rest[size:]
	if size == 2 {
		return int(int16(binary.BigEndian.Uint16(b)))
	}
	return int(int32(binary.BigEndian.Uint32(b)))
}

// uvarint reads an unsigned 32-bit varint of at most five bytes.
func (w *walker) uvarint(where string) int {
	var n uint32
	for i := 0; i < 5; i++ {
		if i >= len(w.rest) {
			w.fail("truncated", where)
			return 0
		}
		c := w.rest[i]
		if i == 4 && c > 0x0f {
			break
		}
		n |= uint32(c&0x7f) << (7 * i)
		if c < 0x80 {
			w.rest = w.rest[i+1:]
			return int(n)
		}
	}
	w.fail("varint is too long", where)
	return 0
}
