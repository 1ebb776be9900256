package record

import (
	"encoding/binary"
	"errors"
	"sync"

	"github.com/pierrec/lz4/v4"
)

// An LZ4 frame, little endian:
//
//	offset size
//	     0    4  magic 0x184D2204
//	     4    1  FLG: version 01, independent blocks, block checksum, content size,
//	             content checksum, 0, dictionary id
//	     5    1  BD: size of the largest block in bits 4 to 6
//	     6  0|8  content size, if FLG says so
//	     …  0|4  dictionary id, if FLG says so
//	     …    1  HC: checksum of the descriptor
//	     …    …  blocks: size (top bit: stored), bytes, checksum if FLG says so
//	     …    4  a size of 0 ends them
//	     …  0|4  content checksum, if FLG says so
//
// No checksum in it is looked at: the CRC of the batch covers all its bytes, and the
// descriptor's is wrong in frames of clients from before Kafka 0.10 (KAFKA-3160).
const (
	lz4Magic        = 0x184D2204
	lz4Stored       = 1 << 31
	lz4Independent  = 1 << 5
	lz4BlockSum     = 1 << 4
	lz4ContentSize  = 1 << 3
	lz4ContentSum   = 1 << 2
	lz4DictID       = 1 << 0
	lz4Window       = 64 << 10
	lz4MaxRatio     = 255
	lz4WriterBlock  = 64 << 10
	lz4DefaultLevel = 9 // as Kafka counts: the fast compressor
)

// lz4Header is the head of every frame that is written here (and by Java clients):
// independent blocks of 64 KiB without checksums, and the descriptor's own checksum.
var lz4Header = []byte{0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x82}

var errLZ4 = errors.New("bad frame")

func unlz4(dst, src []byte, most int) ([]byte, error) {
	out := dst
	for {
		var err error
		if out, src, err = lz4Frame(out, src, len(dst), most); err != nil {
			return dst, err
		}
		if len(src) == 0 {
			return out, nil
		}
	}
}

// lz4Frame appends one frame of src to dst, whose output began at start, and returns
// the bytes behind the frame.
func lz4Frame(dst, src []byte, start, most int) ([]byte, []byte, error) {
	flags, maxBlock, src, err := lz4Descriptor(src)
	if err != nil {
		return dst, nil, err
	}
	frame := len(dst)
	for {
		if len(src) < 4 {
			return dst, nil, errLZ4
		}
		size := binary.LittleEndian.Uint32(src)
		src = src[4:]
		if size == 0 {
			break
		}
		n := int(size &^ lz4Stored)
		if n > maxBlock || n > len(src) {
			return dst, nil, errLZ4
		}
		if size&lz4Stored != 0 {
			dst = append(dst, src[:n]...)
		} else if dst, err = lz4Block(dst, src[:n], lz4Dict(dst, frame, flags), maxBlock); err != nil {
			return dst, nil, err
		}
		if len(dst)-start > most {
			return dst, nil, ErrTooLarge
		}
		if src = src[n:]; flags&lz4BlockSum != 0 {
			if len(src) < 4 {
				return dst, nil, errLZ4
			}
			src = src[4:]
		}
	}
	if flags&lz4ContentSum != 0 {
		if len(src) < 4 {
			return dst, nil, errLZ4
		}
		src = src[4:]
	}
	return dst, src, nil
}

// lz4Descriptor reads the head of a frame: its flags, the largest block, and the bytes
// behind it.
func lz4Descriptor(src []byte) (flags byte, maxBlock int, rest []byte, err error) {
	if len(src) < 7 || binary.LittleEndian.Uint32(src) != lz4Magic || src[4]>>6 != 1 {
		return 0, 0, nil, errLZ4
	}
	flags = src[4]
	code := src[5] >> 4 & 7
	if code < 4 || flags&lz4DictID != 0 {
		return 0, 0, nil, errLZ4
	}
	skip := 7
	if flags&lz4ContentSize != 0 {
		skip += 8
	}
	if len(src) < skip {
		return 0, 0, nil, errLZ4
	}
	return flags, 1 << (8 + 2*code), src[skip:], nil
}

// lz4Dict is what a block may refer back to: the frame's last 64 KiB where blocks are
// linked, nothing where they are independent.
func lz4Dict(out []byte, frame int, flags byte) []byte {
	if flags&lz4Independent != 0 {
		return nil
	}
	return out[max(frame, len(out)-lz4Window):]
}

func lz4Block(dst, src, dict []byte, maxBlock int) ([]byte, error) {
	most := min(maxBlock, lz4MaxRatio*len(src)+64)
	out := room(dst, most)
	n, err := lz4.UncompressBlockWithDict(src, out[len(dst):len(dst)+most], dict)
	if err != nil {
		return dst, err
	}
	return out[:len(dst)+n], nil
}

// blockCompressor is lz4.Compressor or lz4.CompressorHC.
type blockCompressor interface {
	CompressBlock(src, dst []byte) (int, error)
}

// lz4Writers has a pool a level, as Kafka counts them.
var lz4Writers [18]sync.Pool

func lz4ed(dst []byte, level int, src []byte) ([]byte, error) {
	if level == DefaultLevel {
		level = lz4DefaultLevel
	}
	level = min(max(level, 1), len(lz4Writers)-1)
	c, _ := lz4Writers[level].Get().(blockCompressor)
	if c == nil {
		c = newBlockCompressor(level)
	}
	defer lz4Writers[level].Put(c)

	dst = append(dst, lz4Header...)
	for len(src) > 0 {
		block := src[:min(len(src), lz4WriterBlock)]
		src = src[len(block):]
		var err error
		if dst, err = lz4AppendBlock(dst, c, block); err != nil {
			return dst, err
		}
	}
	return append(dst, 0, 0, 0, 0), nil
}

// newBlockCompressor: level 9 is Kafka's default and means the fast compressor there,
// every other level the one of high compression.
func newBlockCompressor(level int) blockCompressor {
	if level == lz4DefaultLevel {
		return new(lz4.Compressor)
	}
	return &lz4.CompressorHC{Level: 1 << (8 + min(level, 9))}
}

func lz4AppendBlock(dst []byte, c blockCompressor, block []byte) ([]byte, error) {
	dst = room(dst, 4+lz4.CompressBlockBound(len(block)))
	at := len(dst) + 4
	n, err := c.CompressBlock(block, dst[at:cap(dst)])
	if err != nil {
		return dst, err
	}
	size := uint32(n)
	if n == 0 || n >= len(block) {
		n = copy(dst[at:cap(dst)], block)
		size = uint32(n) | lz4Stored
	}
	return binary.LittleEndian.AppendUint32(dst, size)[:at+n], nil
}
