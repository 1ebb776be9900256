package history

import (
	"bytes"
	"fmt"
	"strconv"
)

// Value identifies a record: the number of the producer that made it, unique in the
// history and at least 1, and the record's number among those of that producer, from 0 on
// and rising in the order in which they were handed to the client. 0 is no record of the
// history's.
type Value uint64

const seqBits = 40

// MakeValue panics on numbers out of range: a producer has 24 bits, a sequence 40.
func MakeValue(producer int32, seq int64) Value {
	if producer < 1 || producer >= 1<<(64-seqBits) || seq < 0 || seq >= 1<<seqBits {
		panic(fmt.Sprintf("bug: no value %d#%d", producer, seq))
	}
	return Value(producer)<<seqBits | Value(seq)
}

// Producer is the number of who made it.
func (v Value) Producer() int32 { return int32(v >> seqBits) }

// Seq is its number among those of its producer.
func (v Value) Seq() int64 { return int64(v & (1<<seqBits - 1)) }

// String is "producer#seq".
func (v Value) String() string { return string(v.appendText(nil)) }

func (v Value) appendText(b []byte) []byte {
	b = strconv.AppendInt(b, int64(v.Producer()), 10)
	b = append(b, '#')
	return strconv.AppendInt(b, v.Seq(), 10)
}

// Bytes is what to put into the record: "producer#seq;" once, and again until there are
// size bytes, so that a torn or mixed record does not pass. The shortest has the text once.
func (v Value) Bytes(size int) []byte {
	text := append(v.appendText(nil), ';')
	n := max(size, len(text))
	b := make([]byte, 0, n)
	for len(b) < n {
		b = append(b, text[:min(len(text), n-len(b))]...)
	}
	return b
}

// ParseValue reads what Bytes made. It is false for anything else. Records without a value
// (tombstones) carry these bytes in the header HeaderName.
func ParseValue(b []byte) (Value, bool) {
	text, _, ok := bytes.Cut(b, []byte{';'})
	if !ok {
		return 0, false
	}
	v, ok := parseText(text)
	if !ok {
		return 0, false
	}
	n := len(text) + 1
	for i := n; i < len(b); i++ {
		if b[i] != b[i-n] {
			return 0, false
		}
	}
	return v, true
}

// HeaderName is the header that identifies a record without a value.
const HeaderName = "v"

func parseText(text []byte) (Value, bool) {
	p, s, ok := bytes.Cut(text, []byte{'#'})
	producer, ok1 := digits(p, 1<<(64-seqBits))
	seq, ok2 := digits(s, 1<<seqBits)
	if !ok || !ok1 || !ok2 || producer == 0 {
		return 0, false
	}
	return MakeValue(int32(producer), seq), true
}

// digits is a number below limit, written in the one way that AppendInt has.
func digits(b []byte, limit int64) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n >= limit {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0 && n < limit && (len(b) == 1 || b[0] != '0')
}
