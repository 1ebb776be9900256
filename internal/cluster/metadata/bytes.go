package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/odradek/odradek/internal/proto/model"
)

// writer appends the primitives of the codec: fixed bytes, varints (zigzag where
// signed), and lengths before what they count.
type writer struct{ b []byte }

func (w *writer) u8(v uint8)       { w.b = append(w.b, v) }
func (w *writer) uvarint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) varint(v int64)   { w.b = binary.AppendVarint(w.b, v) }
func (w *writer) id(v model.ID)    { w.b = append(w.b, v[:]...) }

func (w *writer) bool(v bool) {
	if v {
		w.u8(1)
		return
	}
	w.u8(0)
}

func (w *writer) str(s string) {
	w.uvarint(uint64(len(s)))
	w.b = append(w.b, s...)
}

// optional writes the length plus one, or zero for nil.
func (w *writer) optional(s *string) {
	if s == nil {
		w.uvarint(0)
		return
	}
	w.uvarint(uint64(len(*s)) + 1)
	w.b = append(w.b, *s...)
}

func (w *writer) int32s(list []int32) {
	w.uvarint(uint64(len(list)))
	for _, v := range list {
		w.varint(int64(v))
	}
}

func (w *writer) ids(list []model.ID) {
	w.uvarint(uint64(len(list)))
	for _, v := range list {
		w.id(v)
	}
}

var (
	errShort = errors.New("ends too early")
	errLong  = errors.New("has bytes left over")
	errRange = errors.New("has a value out of its range")
)

// reader takes the primitives back. After the first error it yields zeroes; nothing
// is allocated for a count that the bytes at hand could not hold.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%w: %d", errLong, len(r.b))
	}
	return r.err
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.fail(errShort)
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) within(low, high int64) int64 {
	v := r.varint()
	if v < low || v > high {
		r.fail(errRange)
		return 0
	}
	return v
}

func (r *reader) int32() int32 { return int32(r.within(math.MinInt32, math.MaxInt32)) }
func (r *reader) int16() int16 { return int16(r.within(math.MinInt16, math.MaxInt16)) }

func (r *reader) bool() bool {
	v := r.u8()
	if v > 1 {
		r.fail(errRange)
	}
	return v == 1
}

// count reads how many items follow, each of which takes at least size bytes.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.fail(errShort)
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte { return r.take(r.count(1)) }
func (r *reader) str() string   { return string(r.bytes()) }

func (r *reader) optional() *string {
	n := r.uvarint()
	if n == 0 || n-1 > uint64(len(r.b)) {
		if n != 0 {
			r.fail(errShort)
		}
		return nil
	}
	s := string(r.take(int(n - 1)))
	return &s
}

func (r *reader) id() (id model.ID) {
	copy(id[:], r.take(len(id)))
	return id
}

func (r *reader) int32s() []int32 {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	list := make([]int32, n)
	for i := range list {
		list[i] = r.int32()
	}
	return list
}

func (r *reader) ids() []model.ID {
	n := r.count(len(model.ID{}))
	if n == 0 {
		return nil
	}
	list := make([]model.ID, n)
	for i := range list {
		list[i] = r.id()
	}
	return list
}
