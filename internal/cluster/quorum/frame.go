package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"go.etcd.io/raft/v3/raftpb"
)

// A log file is a header and frames. docs/formats/quorum.md draws them too.
//
//	header, 32 bytes                     frame
//	0   8  magic "ODRDKQLG"              0   4  mark: of the salt and the place
//	8   1  format, 1                     4   4  length of the payload
//	9   3  zero                          8   4  CRC-32C of salt and place (8 bytes),
//	12  8  sequence number                      length and payload
//	20  8  salt                          12  …  payload
//	28  4  CRC-32C of bytes 0 to 28      …   …  zeroes, to a multiple of 512 bytes
//
// The first frame follows the header; every later one begins at a multiple of 512, so
// that no sector with a promise in it is ever written again.
//
// The payload is uvarints: flags (1: reset), term, vote, commit; if reset, index and
// term of the snapshot; the number of entries, and of each index, term, type, length
// and data.
//
// A frame is what one step of Raft makes durable, and is synced before the next is
// written: so only the last frame of the last file can be torn. The salt is drawn when
// the file is made, so that no entry can hold bytes that pass for a frame of it; the
// mark lets a reader look for frames without adding up a checksum at every byte.
const (
	logMagic    = "ODRDKQLG"
	logFormat   = 1
	logHeader   = 32
	frameHeader = 12
	flagReset   = 1
	sectorBytes = 512
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame is one durable step: the hard state after it and the entries it appends. A
// reset says that a snapshot has replaced everything before.
type frame struct {
	hard    *raftpb.HardState
	reset   bool
	index   uint64
	term    uint64
	entries []*raftpb.Entry
}

// append writes the frame for a place in the file, which begins at byte place.
func (f *frame) append(dst []byte, salt uint64, place int64) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, frameHeader)...)
	dst = f.appendPayload(dst)
	payload := dst[at+frameHeader:]
	if len(payload) > math.MaxUint32 {
		panic("bug: a step of the quorum is larger than a frame can be")
	}
	salt += uint64(place)
	binary.BigEndian.PutUint32(dst[at:], frameMark(salt))
	binary.BigEndian.PutUint32(dst[at+4:], uint32(len(payload)))
	binary.BigEndian.PutUint32(dst[at+8:], frameSum(salt, payload))
	end := place + int64(len(dst)-at)
	return append(dst, make([]byte, toSector(end)-end)...)
}

func (f *frame) appendPayload(dst []byte) []byte {
	flags := uint64(0)
	if f.reset {
		flags = flagReset
	}
	dst = appendUvarints(dst, flags, f.hard.GetTerm(), f.hard.GetVote(), f.hard.GetCommit())
	if f.reset {
		dst = appendUvarints(dst, f.index, f.term)
	}
	dst = appendUvarints(dst, uint64(len(f.entries)))
	for _, e := range f.entries {
		dst = appendUvarints(dst, e.GetIndex(), e.GetTerm(), uint64(e.GetType()), uint64(len(e.GetData())))
		dst = append(dst, e.GetData()...)
	}
	return dst
}

func appendUvarints(dst []byte, values ...uint64) []byte {
	for _, v := range values {
		dst = binary.AppendUvarint(dst, v)
	}
	return dst
}

// toSector is the start of the next sector at or after place.
func toSector(place int64) int64 { return (place + sectorBytes - 1) / sectorBytes * sectorBytes }

func frameMark(salt uint64) uint32 { return uint32((salt | 1) * 0x9e3779b97f4a7c15 >> 32) }

func frameSum(salt uint64, payload []byte) uint32 {
	var head [12]byte
	binary.BigEndian.PutUint64(head[:], salt)
	binary.BigEndian.PutUint32(head[8:], uint32(len(payload)))
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, payload)
}

// framePayload is the payload of the frame at byte place of file, or nil if there is
// no whole one.
func framePayload(file []byte, place int, salt uint64) []byte {
	b := file[place:]
	salt += uint64(place)
	if len(b) < frameHeader || binary.BigEndian.Uint32(b) != frameMark(salt) {
		return nil
	}
	n := binary.BigEndian.Uint32(b[4:])
	if uint64(n) > uint64(len(b)-frameHeader) {
		return nil
	}
	payload := b[frameHeader : frameHeader+int(n)]
	if binary.BigEndian.Uint32(b[8:]) != frameSum(salt, payload) {
		return nil
	}
	return payload
}

// readFrames calls visit for every frame of a file, with its place and length, and returns
// where they end: at bytes that are no frame, or at the end of the file, or at the frame at
// which there was an error.
func readFrames(file []byte, salt uint64, visit func(at, n int, f *frame) error) (end int, err error) {
	at := logHeader
	for at < len(file) {
		payload := framePayload(file, at, salt)
		if payload == nil {
			break
		}
		f, err := decodeFrame(payload)
		if err != nil {
			return at, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if err := visit(at, frameHeader+len(payload), f); err != nil {
			return at, err
		}
		at = int(toSector(int64(at + frameHeader + len(payload))))
	}
	return at, nil
}

// wholeAfter is where a whole frame lies after bytes that are none, -1 if nowhere.
func wholeAfter(file []byte, at int, salt uint64) int64 {
	for later := toSector(int64(at) + 1); later < int64(len(file)); later += sectorBytes {
		if framePayload(file, int(later), salt) != nil {
			return later
		}
	}
	return -1
}

var errFrame = errors.New("a frame with a good checksum makes no sense")

func decodeFrame(payload []byte) (*frame, error) {
	r := uvarints{b: payload}
	flags := r.next()
	f := &frame{hard: &raftpb.HardState{Term: new(r.next()), Vote: new(r.next()), Commit: new(r.next())}}
	if flags&^flagReset != 0 {
		return nil, errFrame
	}
	if flags&flagReset != 0 {
		f.reset, f.index, f.term = true, r.next(), r.next()
	}
	const least = 4 // bytes of an entry
	n := r.next()
	if n > uint64(len(r.b)/least) {
		return nil, errFrame
	}
	f.entries = make([]*raftpb.Entry, 0, n)
	for range n {
		f.entries = append(f.entries, r.entry())
	}
	if r.bad || len(r.b) > 0 {
		return nil, errFrame
	}
	return f, nil
}

// uvarints reads what appendUvarints wrote; after an error it yields zeroes.
type uvarints struct {
	b   []byte
	bad bool
}

func (r *uvarints) next() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *uvarints) entry() *raftpb.Entry {
	index, term, kind, n := r.next(), r.next(), r.next(), r.next()
	if kind > uint64(raftpb.EntryConfChangeV2) || n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	e := &raftpb.Entry{Index: &index, Term: &term, Type: raftpb.EntryType(kind).Enum()}
	if n > 0 {
		e.Data = r.b[:n:n]
	}
	r.b = r.b[n:]
	return e
}
