package crash

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
)

// ID names a record: its producer, and where it stands among that producer's records.
type ID struct {
	Producer uint16
	Seq      uint64 // 48 bits
}

// Size classes of values.
const (
	small byte = iota // 10 B to 30 KB, most below 200 B
	large             // 1 KB to 600 KB
)

// A value is its record's name and then a filling that follows from it:
//
//	0  producer  2
//	2  class     1, small or large
//	3  zero      1
//	4  seq       6
//	10 filling   a piece of one of the pads
const headerBytes = 10

// pads are what fillings are cut from: one that no codec shrinks, one that each does.
var pads = [2][]byte{noise(1 << 20), bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog, "), 24000)}

func noise(n int) []byte {
	b := make([]byte, n)
	for rng, i := rand.New(rand.NewPCG(1, 2)), 0; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], rng.Uint64())
	}
	return b
}

// key is the name again for every second record, and null for the others.
func key(id ID, class byte) []byte {
	if id.Seq%2 == 0 {
		return nil
	}
	return header(id, class)
}

func header(id ID, class byte) []byte {
	b := make([]byte, 4, headerBytes)
	binary.BigEndian.PutUint16(b, id.Producer)
	b[2] = class
	return append(b, binary.BigEndian.AppendUint64(nil, id.Seq)[2:]...)
}

func value(id ID, class byte) []byte { return append(header(id, class), filling(id, class)...) }

func filling(id ID, class byte) []byte {
	rng := rand.New(rand.NewPCG(uint64(id.Producer)<<8|uint64(class), id.Seq))
	n := size(rng, class) - headerBytes
	pad := pads[rng.IntN(2)]
	from := rng.IntN(len(pad) - n)
	return pad[from : from+n]
}

func size(rng *rand.Rand, class byte) int {
	dice := rng.IntN(100)
	switch {
	case class == large && dice < 15:
		return 600 << 10
	case class == large && dice < 50:
		return 20<<10 + rng.IntN(130<<10)
	case class == large:
		return 1<<10 + rng.IntN(20<<10)
	case dice < 10:
		return headerBytes
	case dice < 80:
		return headerBytes + rng.IntN(200)
	case dice < 98:
		return 200 + rng.IntN(4<<10)
	default:
		return 4<<10 + rng.IntN(26<<10)
	}
}

// identify returns whose record it is, and whether each byte of it is as it was sent.
func identify(k, v []byte) (ID, bool) {
	if len(v) < headerBytes || v[2] > large || v[3] != 0 {
		return ID{}, false
	}
	id := ID{binary.BigEndian.Uint16(v), binary.BigEndian.Uint64(v[2:]) & (1<<48 - 1)}
	whole := bytes.Equal(v[headerBytes:], filling(id, v[2])) &&
		bytes.Equal(k, key(id, v[2])) && (k == nil) == (id.Seq%2 == 0)
	return id, whole
}
