// Package fields reads and writes the fields of Kafka's messages as they stand in the
// records of coordinators and in what consumers say of themselves. Strings, bytes and
// arrays come in two forms: classic ones have a length of 2 or 4 bytes, -1 for null;
// compact ones a varint of length plus one, 0 for null. What is read may be anything: no
// length is trusted beyond the bytes at hand, and nothing is allocated by one.
package fields

import (
	"encoding/binary"
	"errors"

	"github.com/odradek/odradek/internal/proto/model"
)

// ErrMalformed says that bytes do not hold what they should.
var ErrMalformed = errors.New("malformed")

// MaxString is the length of the longest string of the classic form.
const MaxString = 1<<15 - 1

// Reader takes fields off the front of Rest. After the first that does not fit Err is
// set, and everything after it is zero.
type Reader struct {
	Rest []byte
	Err  error
}

// Fail makes what follows zero, for a reader that has found something wrong itself.
func (r *Reader) Fail() {
	if r.Err == nil {
		r.Err = ErrMalformed
	}
}

// Take returns the next n bytes, which are shared; nil if there are fewer.
func (r *Reader) Take(n int) []byte {
	if n < 0 || n > len(r.Rest) {
		r.Fail()
	}
	if r.Err != nil {
		return nil
	}
	taken := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return taken
}

// Int8 reads a number of one byte.
func (r *Reader) Int8() int8 {
	if b := r.Take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

// Int16 reads a number of two bytes.
func (r *Reader) Int16() int16 {
	if b := r.Take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

// Int32 reads a number of four bytes.
func (r *Reader) Int32() int32 {
	if b := r.Take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// Int64 reads a number of eight bytes.
func (r *Reader) Int64() int64 {
	if b := r.Take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// ID reads the id of a topic.
func (r *Reader) ID() (id model.ID) {
	copy(id[:], r.Take(len(id)))
	return id
}

// Uvarint reads a varint without sign, which no field has greater than 2^31.
func (r *Reader) Uvarint() int {
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 || n > 5 || v > 1<<31 {
		r.Fail()
	}
	if r.Err != nil {
		return 0
	}
	r.Rest = r.Rest[n:]
	return int(v)
}

// Length reads the length of a string (of two bytes in the classic form) or of bytes or
// an array (of four), -1 for null.
func (r *Reader) Length(compact bool, size int) int {
	switch {
	case compact:
		return r.Uvarint() - 1
	case size == 2:
		return int(r.Int16())
	}
	return int(r.Int32())
}

// Nullable reads a string that may be null.
func (r *Reader) Nullable(compact bool) *string {
	n := r.Length(compact, 2)
	if n == -1 || r.Err != nil {
		return nil
	}
	s := string(r.Take(n))
	return &s
}

// String reads a string that may not be null.
func (r *Reader) String(compact bool) string { return string(r.Take(r.Length(compact, 2))) }

// Bytes reads bytes, a copy; null is nil.
func (r *Reader) Bytes(compact bool) []byte {
	n := r.Length(compact, 4)
	if n == -1 || r.Err != nil {
		return nil
	}
	return append([]byte{}, r.Take(n)...)
}

// SkipBytes passes over bytes of the classic form that may be null.
func (r *Reader) SkipBytes() {
	if n := r.Length(false, 4); n != -1 {
		r.Take(n)
	}
}

// Count reads the length of an array, null or not, whose elements take a byte at least
// each.
func (r *Reader) Count(compact bool) int {
	n := r.Length(compact, 4)
	if n > len(r.Rest) || n < -1 {
		r.Fail()
	}
	if r.Err != nil {
		return 0
	}
	return max(n, 0)
}

// Int32s reads an array of numbers of four bytes, as many as there are bytes for.
func (r *Reader) Int32s(compact bool) []int32 {
	n := r.Length(compact, 4)
	if n > len(r.Rest)/4 || n < -1 {
		r.Fail()
	}
	if r.Err != nil || n <= 0 {
		return nil
	}
	numbers := make([]int32, n)
	for i := range numbers {
		numbers[i] = r.Int32()
	}
	return numbers
}

// Tags reads tagged fields and shows each to known, which may be nil and need not read
// them.
func (r *Reader) Tags(known func(tag int, field *Reader)) {
	for n := r.Uvarint(); n > 0 && r.Err == nil; n-- {
		tag := r.Uvarint()
		field := &Reader{Rest: r.Take(r.Uvarint())}
		if known == nil || r.Err != nil {
			continue
		}
		known(tag, field)
		if field.Err != nil {
			r.Fail()
		}
	}
}
