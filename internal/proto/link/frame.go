package link

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A line begins, in both directions, with the magic "ODRL", one byte for the newest
// version of the protocol that the sender speaks, and a hello; the one that accepts may
// send a refusal instead. All that follows is frames. docs/formats/link.md draws them too.
//
//	0   1  type
//	1   1  kind: of a message or call; the rest of the house gives it a meaning
//	2   1  flags: 1 more pieces of the payload follow, 2 the payload has several pieces
//	3   1  zero
//	4   4  length of what follows the head, at most 64 KiB
//	8   8  id: of a call; of a credit, the bytes that have come in pieces
//	16  4  CRC-32C of bytes 0 to 16 and of what follows
//	20  …  payload
const (
	Magic   = "ODRL"
	version = 1

	headSize  = 20
	pieceSize = 64 << 10
)

type frameType uint8

const (
	frameHello   frameType = 1  // kind 1: only a question who is there
	frameRefuse  frameType = 2  // failure: why, and the line ends
	frameMessage frameType = 3  // one way
	frameCall    frameType = 4  // to be answered under its id
	frameAnswer  frameType = 5  // of the call with the id
	frameFailure frameType = 6  // the same, when it has failed
	frameCancel  frameType = 7  // the caller does not wait any more
	framePing    frameType = 8  // to be answered by a pong
	framePong    frameType = 9  //
	frameCredit  frameType = 10 // how many bytes of pieces have come
)

const (
	flagMore = 1
	flagBulk = 2
)

// helloAsk is the kind of a hello after which the line ends.
const helloAsk = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type head struct {
	typ    frameType
	kind   uint8
	flags  uint8
	length int
	id     uint64
	sum    uint32
}

// appendFrame writes one frame. The payload is no longer than a piece.
func appendFrame(dst []byte, typ frameType, kind, flags uint8, id uint64, payload []byte) []byte {
	if len(payload) > pieceSize {
		panic(fmt.Sprintf("bug: a frame of %d bytes", len(payload)))
	}
	at := len(dst)
	dst = append(dst, byte(typ), kind, flags, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	dst = binary.BigEndian.AppendUint64(dst, id)
	sum := crc32.Update(crc32.Checksum(dst[at:], castagnoli), castagnoli, payload)
	return append(binary.BigEndian.AppendUint32(dst, sum), payload...)
}

func parseHead(b []byte) (head, error) {
	h := head{
		typ: frameType(b[0]), kind: b[1], flags: b[2],
		id: binary.BigEndian.Uint64(b[8:]), sum: binary.BigEndian.Uint32(b[16:]),
	}
	n := binary.BigEndian.Uint32(b[4:])
	if n > pieceSize || b[3] != 0 || h.flags > flagMore|flagBulk {
		return h, errors.New("the head of a frame makes no sense")
	}
	h.length = int(n)
	return h, nil
}

// frames reads frames from a line. It buffers little, since idle lines are many.
type frames struct {
	from *patient
	r    *bufio.Reader
	head [headSize]byte
}

func newFrames(from *patient) *frames {
	return &frames{from: from, r: bufio.NewReaderSize(from, 4<<10)}
}

// next reads a frame and appends its payload to what into returns for its head.
func (f *frames) next(into func(head) ([]byte, error)) (head, []byte, error) {
	if _, err := io.ReadFull(f.r, f.head[:]); err != nil {
		return head{}, nil, err
	}
	h, err := parseHead(f.head[:])
	if err != nil {
		return h, nil, err
	}
	dst, err := into(h)
	if err != nil {
		return h, nil, err
	}
	at := len(dst)
	dst = room(dst, h.length)
	if _, err := io.ReadFull(f.r, dst[at:]); err != nil {
		return h, nil, err
	}
	if crc32.Update(crc32.Checksum(f.head[:16], castagnoli), castagnoli, dst[at:]) != h.sum {
		return h, nil, errors.New("the checksum of a frame is wrong")
	}
	return h, dst, nil
}

// room makes b longer by n. What has come is doubled, not what was claimed: so pieces are
// copied once on average, and a large claim costs nothing.
func room(b []byte, n int) []byte {
	if len(b)+n > cap(b) {
		b = append(make([]byte, 0, max(len(b)+n, 2*len(b))), b...)
	}
	return b[:len(b)+n]
}

// opening reads the magic and the version of the other side.
func (f *frames) opening() (uint8, error) {
	var b [len(Magic) + 1]byte
	if _, err := io.ReadFull(f.r, b[:]); err != nil {
		return 0, err
	}
	if string(b[:len(Magic)]) != Magic {
		return 0, errors.New("this is no line of a node: the first bytes are not " + Magic)
	}
	if b[len(Magic)] == 0 {
		return 0, errors.New("a line of version 0")
	}
	return b[len(Magic)], nil
}

// greeting reads the hello that follows the opening, or the refusal.
func (f *frames) greeting() (h Hello, asks bool, err error) {
	hd, b, err := f.next(func(h head) ([]byte, error) {
		if h.typ != frameHello && h.typ != frameRefuse || h.length > maxHello {
			return nil, errors.New("a line begins without a hello")
		}
		return nil, nil
	})
	if err != nil {
		return h, false, err
	}
	if hd.typ == frameRefuse {
		return h, false, &refusal{decodeError(b)}
	}
	h, err = parseHello(b)
	return h, hd.kind == helloAsk, err
}

// appendOpening writes magic, version and hello.
func appendOpening(dst []byte, h Hello, kind uint8) []byte {
	dst = append(append(dst, Magic...), version)
	return appendFrame(dst, frameHello, kind, 0, 0, h.append(nil))
}

// appendRefusal writes why the other side is not welcome.
func appendRefusal(dst []byte, err error) []byte {
	return appendFrame(dst, frameRefuse, 0, 0, 0, encodeError(err))
}
