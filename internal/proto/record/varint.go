package record

import "encoding/binary"

// Varints of the format are zigzag, at most 5 bytes for 32 bits and 10 for 64. The
// readers return the value and the bytes that it took, 0 if there is none.

// short is a varint of one byte.
func short(b byte) int32 { return int32(b>>1) ^ -int32(b&1) }

func varint(b []byte) (int32, int) {
	if len(b) > 1 && b[0] >= 0x80 && b[1] < 0x80 {
		u := uint32(b[0]&0x7f) | uint32(b[1])<<7
		return int32(u>>1) ^ -int32(u&1), 2
	}
	var u uint32
	for i := 0; i < len(b) && i < 5; i++ {
		u |= uint32(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return int32(u>>1) ^ -int32(u&1), i + 1
		}
	}
	return 0, 0
}

func varlong(b []byte) (int64, int) {
	var u uint64
	for i := 0; i < len(b) && i < 10; i++ {
		u |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + 1
		}
	}
	return 0, 0
}

func appendVarint(b []byte, v int32) []byte { return binary.AppendVarint(b, int64(v)) }

func appendVarlong(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

func varintLen(v int64) int {
	n := 1
	for u := uint64(v)<<1 ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
