package group

import (
	"testing"

	"github.com/zeebo/xxh3"
)

// The hashes of topics in the records of groups are Kafka's: those of hash4j's xxh3_64, here over bytes i·7+3.
func TestHashAsKafka(t *testing.T) {
	for _, c := range []struct {
		n    int
		want uint64
	}{
		{0, 0x2d06800538d394c2}, {1, 0x13e608bc156defed}, {3, 0xa9088dda485b481c}, {4, 0x6d9253b16c8b1ed3},
		{8, 0x60539db630471163}, {9, 0xfeff668361d723a8}, {16, 0xb8c859b0f030b585}, {17, 0x714a04408e79b80f},
		{32, 0x19ff4ee1d6ba1a55}, {64, 0x287eb1fa9e4be2c1}, {100, 0xb5937857f0d78c9f}, {128, 0x67425a03650261bf},
		{129, 0xc664bf3311c6abc4}, {200, 0x746cd0025327bf5b}, {240, 0x64556dc6b462a6cf}, {241, 0x8beadd3a8874fe17},
		{256, 0x3c38817f6d79c0da}, {512, 0xf58202b8d9019d1d}, {1023, 0xd26986a0b85dcc44}, {1024, 0x9b81661c641c72b1},
		{1025, 0x806c2072ed713576}, {2000, 0x71f8268c6d856c4a}, {5000, 0x799aaddd7339581d},
	} {
		b := make([]byte, c.n)
		for i := range b {
			b[i] = byte(i*7 + 3)
		}
		if got := xxh3.Hash(b); got != c.want {
			t.Errorf("%d bytes: %x, want %x", c.n, got, c.want)
		}
	}
}
