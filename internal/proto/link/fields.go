package link

import (
	"encoding/binary"

	"github.com/odradek/odradek/internal/proto/model"
)

// Fields reads what nodes tell each other: varints, and bytes after their length. After
// something that does not fit it is Bad and yields zeroes.
type Fields struct {
	B   []byte // what is left
	Bad bool
}

// Fail makes the rest unreadable.
func (r *Fields) Fail() { r.B, r.Bad = nil, true }

// U8 is one byte, 0xff after a failure.
func (r *Fields) U8() uint8 {
	if len(r.B) == 0 {
		r.Fail()
		return 0xff
	}
	v := r.B[0]
	r.B = r.B[1:]
	return v
}

// Uvarint is an unsigned varint.
func (r *Fields) Uvarint() uint64 {
	v, n := binary.Uvarint(r.B)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Varint is a varint.
func (r *Fields) Varint() int64 {
	v, n := binary.Varint(r.B)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Int32 is a varint that fits.
func (r *Fields) Int32() int32 {
	v := r.Varint()
	if int64(int32(v)) != v {
		r.Fail()
	}
	return int32(v)
}

// Int16 is a varint that fits.
func (r *Fields) Int16() int16 {
	v := r.Varint()
	if int64(int16(v)) != v {
		r.Fail()
	}
	return int16(v)
}

// Bytes are what follows a length. They alias what is read from.
func (r *Fields) Bytes() []byte { return r.take(r.Uvarint()) }

func (r *Fields) take(n uint64) []byte {
	if n > uint64(len(r.B)) {
		r.Fail()
		return nil
	}
	b := r.B[:n:n]
	r.B = r.B[n:]
	return b
}

func (r *Fields) id() (id model.ID) {
	copy(id[:], r.take(uint64(len(id))))
	return id
}

// AppendBytes writes what Bytes reads.
func AppendBytes[T string | []byte](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}
