package fields

import (
	"encoding/binary"
	"strconv"
)

// AppendInt16 writes a number of two bytes.
func AppendInt16(b []byte, v int16) []byte { return binary.BigEndian.AppendUint16(b, uint16(v)) }

// AppendInt32 writes a number of four bytes.
func AppendInt32(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }

// AppendInt64 writes a number of eight bytes.
func AppendInt64(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

// AppendCount writes the length of an array, -1 for null.
func AppendCount(b []byte, n int, compact bool) []byte {
	if compact {
		return binary.AppendUvarint(b, uint64(n+1))
	}
	return AppendInt32(b, int32(n))
}

// AppendString writes a string of the classic form, of MaxString bytes at most.
func AppendString(b []byte, s string) []byte {
	if len(s) > MaxString {
		panic("bug: a string of " + strconv.Itoa(len(s)) + " bytes got past validation")
	}
	return append(AppendInt16(b, int16(len(s))), s...)
}

// AppendNullable writes a string of the classic form that may be null.
func AppendNullable(b []byte, s *string) []byte {
	if s == nil {
		return AppendInt16(b, -1)
	}
	return AppendString(b, *s)
}

// AppendBytes writes bytes of the classic form; nil is no bytes, not null.
func AppendBytes(b, v []byte) []byte { return append(AppendInt32(b, int32(len(v))), v...) }

// AppendCompactString writes a string of the compact form.
func AppendCompactString(b []byte, s string) []byte {
	return append(AppendCount(b, len(s), true), s...)
}

// AppendCompactNullable writes a string of the compact form that may be null.
func AppendCompactNullable(b []byte, s *string) []byte {
	if s == nil {
		return append(b, 0)
	}
	return AppendCompactString(b, *s)
}

// AppendCompactBytes writes bytes of the compact form; nil is no bytes, not null.
func AppendCompactBytes(b, v []byte) []byte { return append(AppendCount(b, len(v), true), v...) }
