package record

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/klauspost/compress/s2"
)

// Snappy comes in two dresses: a bare block (librdkafka, Go clients), and the stream of
// the Java library "xerial", which Java clients write:
//
//	offset size
//	     0    8  0x82 'S' 'N' 'A' 'P' 'P' 'Y' 0
//	     8    4  version             1
//	    12    4  oldest compatible   1
//	    16    …  blocks: a size of 4 bytes, then that many bytes of snappy
//
// Streams may follow each other: where a size should be, another header may stand.
var xerialHeader = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1}

const (
	xerialMagicLen = 8
	xerialBlock    = 32 << 10
	// The longest copy of the format makes 64 bytes of 3.
	snappyMaxRatio = 22
)

var errShortSnappy = errors.New("stream ends inside a block")

func unsnappy(dst, src []byte, most int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerialHeader[:xerialMagicLen]) {
		return snappyBlock(dst, src, most)
	}
	out := dst
	for len(src) > 0 {
		if bytes.HasPrefix(src, xerialHeader[:xerialMagicLen]) {
			if len(src) < len(xerialHeader) {
				return dst, errShortSnappy
			}
			src = src[len(xerialHeader):]
			continue
		}
		if len(src) < 4 {
			return dst, errShortSnappy
		}
		n := int64(binary.BigEndian.Uint32(src))
		if src = src[4:]; n > int64(len(src)) {
			return dst, errShortSnappy
		}
		var err error
		if out, err = snappyBlock(out, src[:n], most-(len(out)-len(dst))); err != nil {
			return dst, err
		}
		src = src[n:]
	}
	return out, nil
}

// snappyBlock believes the size that a block claims only as far as its bytes could
// make it true.
func snappyBlock(dst, src []byte, most int) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return dst, err
	}
	if n > snappyMaxRatio*len(src) {
		return dst, s2.ErrCorrupt
	}
	if n > most {
		return dst, ErrTooLarge
	}
	out := room(dst, n)
	if _, err := s2.Decode(out[len(dst):len(dst)+n], src); err != nil {
		return dst, err
	}
	return out[:len(dst)+n], nil
}

// snappied writes what Java clients do, which every client reads.
func snappied(dst, src []byte) []byte {
	dst = append(dst, xerialHeader...)
	for len(src) > 0 {
		block := src[:min(len(src), xerialBlock)]
		src = src[len(block):]
		dst = room(dst, 4+s2.MaxEncodedLen(len(block)))
		at := len(dst) + 4
		n := len(s2.EncodeSnappy(dst[at:cap(dst)], block))
		dst = binary.BigEndian.AppendUint32(dst, uint32(n))[:at+n]
	}
	return dst
}
