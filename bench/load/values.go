package load

import (
	"encoding/binary"
	"time"

	"github.com/odradek/odradek/bench/load/raw"
)

// values are 64 of size bytes, all different, in one text.
func values(size int) [][]byte {
	const n, step = 64, 37
	text := raw.Text(size + n*step)
	list := make([][]byte, n)
	for i := range list {
		list[i] = text[i*step : i*step+size : i*step+size]
	}
	return list
}

// A timed value begins with
//
//	offset size
//	     0    8  when it was due, nanoseconds of this process
//	     8    8  its number, which no other record of the load has
const stampLen = 16

// born is where the time of stamps begins.
var born = time.Now()

func stamp(p *producer, value []byte, due time.Time) {
	binary.BigEndian.PutUint64(value, uint64(due.Sub(born)))
	binary.BigEndian.PutUint64(value[8:], numberOf(p.index, p.sent))
}

func numberOf(producer int, n int64) uint64 { return uint64(producer)<<40 | uint64(n) }

func stamped(value []byte) (due time.Time, number uint64) {
	return born.Add(time.Duration(binary.BigEndian.Uint64(value))), binary.BigEndian.Uint64(value[8:])
}
