// Package xxh3 hashes bytes as the 64-bit XXH3 of Yann Collet does, with its usual
// secret and seed zero. Kafka keeps such hashes in its records, so they must be the
// same on every machine and in every version.
package xxh3

import (
	"encoding/binary"
	"math/bits"
)

const (
	prime32x1 = 0x9E3779B1
	prime32x2 = 0x85EBCA77
	prime32x3 = 0xC2B2AE3D
	prime64x1 = 0x9E3779B185EBCA87
	prime64x2 = 0xC2B2AE3D27D4EB4F
	prime64x3 = 0x165667B19E3779F9
	prime64x4 = 0x85EBCA77C2B2AE63
	prime64x5 = 0x27D4EB2F165667C5
	primeMX1  = 0x165667919E3779F9
	primeMX2  = 0x9FB21C651E98DF25
)

// secret is the 192 bytes that the algorithm mixes input with.
const secret = "" +
	"\xb8\xfe\x6c\x39\x23\xa4\x4b\xbe\x7c\x01\x81\x2c\xf7\x21\xad\x1c\xde\xd4\x6d\xe9\x83\x90\x97\xdb\x72\x40\xa4\xa4\xb7\xb3\x67\x1f" +
	"\xcb\x79\xe6\x4e\xcc\xc0\xe5\x78\x82\x5a\xd0\x7d\xcc\xff\x72\x21\xb8\x08\x46\x74\xf7\x43\x24\x8e\xe0\x35\x90\xe6\x81\x3a\x26\x4c" +
	"\x3c\x28\x52\xbb\x91\xc3\x00\xcb\x88\xd0\x65\x8b\x1b\x53\x2e\xa3\x71\x64\x48\x97\xa2\x0d\xf9\x4e\x38\x19\xef\x46\xa9\xde\xac\xd8" +
	"\xa8\xfa\x76\x3f\xe3\x9c\x34\x3f\xf9\xdc\xbb\xc7\xc7\x0b\x4f\x1d\x8a\x51\xe0\x4b\xcd\xb4\x59\x31\xc8\x9f\x7e\xc9\xd9\x78\x73\x64" +
	"\xea\xc5\xac\x83\x34\xd3\xeb\xc3\xc5\x81\xa0\xff\xfa\x13\x63\xeb\x17\x0d\xdd\x51\xb7\xf0\xda\x49\xd3\x16\x55\x26\x29\xd4\x68\x9e" +
	"\x2b\x16\xbe\x58\x7d\x47\xa1\xfc\x8f\xf8\xb8\xd1\x7a\xd0\x31\xce\x45\xcb\x3a\x8f\x95\x16\x04\x28\xaf\xd7\xfb\xca\xbb\x4b\x40\x7e"

// key and key32 read the secret.
func key(at int) uint64 { return word([]byte(secret[at : at+8])) }
func key32(at int) uint64 {
	return uint64(binary.LittleEndian.Uint32([]byte(secret[at : at+4])))
}

func word(b []byte) uint64     { return binary.LittleEndian.Uint64(b) }
func halfword(b []byte) uint64 { return uint64(binary.LittleEndian.Uint32(b)) }

// fold multiplies to 128 bits and folds them.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func avalanche(h uint64) uint64 {
	h = (h ^ h>>37) * primeMX1
	return h ^ h>>32
}

// avalanche64 is the one of the older XXH64, for the shortest inputs.
func avalanche64(h uint64) uint64 {
	h = (h ^ h>>33) * prime64x2
	h = (h ^ h>>29) * prime64x3
	return h ^ h>>32
}

// Sum64 is the hash of b.
func Sum64(b []byte) uint64 {
	switch n := len(b); {
	case n == 0:
		return avalanche64(key(56) ^ key(64))
	case n <= 3:
		return upTo3(b)
	case n <= 8:
		return upTo8(b)
	case n <= 16:
		return upTo16(b)
	case n <= 128:
		return upTo128(b)
	case n <= 240:
		return upTo240(b)
	}
	return long(b)
}

func upTo3(b []byte) uint64 {
	n := len(b)
	v := uint64(b[0])<<16 | uint64(b[n>>1])<<24 | uint64(b[n-1]) | uint64(n)<<8
	return avalanche64(v ^ (key32(0) ^ key32(4)))
}

func upTo8(b []byte) uint64 {
	n := uint64(len(b))
	h := halfword(b[n-4:]) + halfword(b)<<32
	h ^= key(8) ^ key(16)
	h ^= bits.RotateLeft64(h, 49) ^ bits.RotateLeft64(h, 24)
	h *= primeMX2
	h ^= h>>35 + n
	h *= primeMX2
	return h ^ h>>28
}

func upTo16(b []byte) uint64 {
	n := len(b)
	lo := word(b) ^ (key(24) ^ key(32))
	hi := word(b[n-8:]) ^ (key(40) ^ key(48))
	return avalanche(uint64(n) + bits.ReverseBytes64(lo) + hi + fold(lo, hi))
}

// mix16 mixes 16 bytes with 16 of the secret.
func mix16(b []byte, at int) uint64 {
	return fold(word(b)^key(at), word(b[8:])^key(at+8))
}

func upTo128(b []byte) uint64 {
	n := len(b)
	h := uint64(n) * prime64x1
	for i := (n - 1) / 32; i >= 0; i-- {
		h += mix16(b[16*i:], 32*i)
		h += mix16(b[n-16*(i+1):], 32*i+16)
	}
	return avalanche(h)
}

func upTo240(b []byte) uint64 {
	n := len(b)
	h := uint64(n) * prime64x1
	for i := range 8 {
		h += mix16(b[16*i:], 16*i)
	}
	h = avalanche(h)
	for i := 8; i < n/16; i++ {
		h += mix16(b[16*i:], 16*(i-8)+3)
	}
	h += mix16(b[n-16:], 136-17)
	return avalanche(h)
}

const (
	stripe  = 64
	perStep = 8                                // bytes of secret between stripes
	stripes = (len(secret) - stripe) / perStep // of a block
	block   = stripes * stripe
)

type lanes [8]uint64

// take adds a stripe of input to the lanes, mixed with the secret from at on.
func (l *lanes) take(b []byte, at int) {
	for i := range l {
		v := word(b[8*i:])
		k := v ^ key(at+8*i)
		l[i^1] += v
		l[i] += k & 0xffffffff * (k >> 32)
	}
}

func (l *lanes) scramble() {
	for i := range l {
		l[i] = (l[i] ^ l[i]>>47 ^ key(len(secret)-stripe+8*i)) * prime32x1
	}
}

func long(b []byte) uint64 {
	l := lanes{prime32x3, prime64x1, prime64x2, prime64x3, prime64x4, prime32x2, prime64x5, prime32x1}
	n, last := len(b), b[len(b)-stripe:] // it may reach back into what was taken already
	for len(b) > block {
		for i := range stripes {
			l.take(b[stripe*i:], perStep*i)
		}
		l.scramble()
		b = b[block:]
	}
	for i := range (len(b) - 1) / stripe {
		l.take(b[stripe*i:], perStep*i)
	}
	l.take(last, len(secret)-stripe-7)
	return l.finish(n)
}

func (l *lanes) finish(n int) uint64 {
	h := uint64(n) * prime64x1
	for i := range 4 {
		at := 11 + 16*i
		h += fold(l[2*i]^key(at), l[2*i+1]^key(at+8))
	}
	return avalanche(h)
}
