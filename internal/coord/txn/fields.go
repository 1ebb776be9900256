package txn

import (
	"encoding/binary"
	"strconv"
)

// The fields of Kafka's messages as they stand in records of __transaction_state. Strings
// and arrays come in two forms: classic ones have a length of 2 or 4 bytes, -1 for null;
// compact ones a varint of length plus one, 0 for null.

// reader takes fields off the front of bytes. After the first that does not fit err is
// set, and everything after it is zero. No length is trusted beyond the bytes at hand.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.b)) {
		r.err = errMalformed
	}
	if r.err != nil {
		return nil
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) int8() int8 {
	if b := r.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (r *reader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) uvarint() int {
	v, n := binary.Uvarint(r.b)
	if r.err == nil && (n <= 0 || n > 5 || v > 1<<31) {
		r.err = errMalformed
	}
	if r.err != nil {
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

// string reads a string that may not be null.
func (r *reader) string(compact bool) string {
	n := 0
	if compact {
		n = r.uvarint() - 1
	} else {
		n = int(r.int16())
	}
	if n > maxString && r.err == nil {
		r.err = errMalformed // the classic form could not say it again
	}
	return string(r.take(n))
}

// count reads the length of an array, null or not, whose elements take a byte at least
// each.
func (r *reader) count(compact bool) int {
	n := 0
	if compact {
		n = r.uvarint() - 1
	} else {
		n = int(r.int32())
	}
	if r.err == nil && (n > len(r.b) || n < -1) {
		r.err = errMalformed
	}
	if r.err != nil {
		return 0
	}
	return max(n, 0)
}

// tags reads tagged fields and shows each to known.
func (r *reader) tags(known func(tag int, field *reader)) {
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		tag := r.uvarint()
		field := &reader{b: r.take(r.uvarint())}
		if known == nil || r.err != nil {
			continue
		}
		known(tag, field)
		r.err = field.err
	}
}

func appendInt16(b []byte, v int16) []byte { return binary.BigEndian.AppendUint16(b, uint16(v)) }
func appendInt32(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }
func appendInt64(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

const maxString = 1<<15 - 1 // of the classic form

func appendString(b []byte, s string) []byte {
	if len(s) > maxString {
		panic("bug: a string of " + strconv.Itoa(len(s)) + " bytes got past validation")
	}
	return append(appendInt16(b, int16(len(s))), s...)
}

func appendCompactString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s)+1)), s...)
}

// appendCount writes the length of an array, -1 for null.
func appendCount(b []byte, n int, compact bool) []byte {
	if compact {
		return binary.AppendUvarint(b, uint64(n+1))
	}
	return appendInt32(b, int32(n))
}
