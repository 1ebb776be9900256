package link

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
)

// Hello is what a node says of itself at the beginning of a line, and again when it has
// changed.
type Hello struct {
	ClusterID   string // "" while the cluster is forming
	Node        int32
	Directory   model.ID // of the metadata folder; zero if the node keeps none
	Incarnation model.ID // drawn when the process starts
	Release     string
	Leader      int32 // who leads the quorum as far as it knows, -1 if it does not
	Term        int64
	Offset      int64  // of its metadata
	Voters      []Peer // where the quorum is, as far as it knows
}

// Peer is a node of the quorum and the address that it is dialed at.
type Peer struct {
	Node    int32
	Address string
}

// What a Hello may be long, and how many voters it may name.
const (
	maxHello  = 16 << 10
	maxVoters = 256
)

// A hello is, after the head of its frame:
//
//	string  cluster id       (uvarint length, then the bytes)
//	varint  node
//	16      directory
//	16      incarnation
//	string  release
//	varint  leader
//	varint  term
//	varint  offset
//	uvarint voters, each: varint node, string address
//	…       what later releases add; skipped
func (h Hello) append(dst []byte) []byte {
	dst = appendString(dst, h.ClusterID)
	dst = binary.AppendVarint(dst, int64(h.Node))
	dst = append(dst, h.Directory[:]...)
	dst = append(dst, h.Incarnation[:]...)
	dst = appendString(dst, h.Release)
	dst = binary.AppendVarint(dst, int64(h.Leader))
	dst = binary.AppendVarint(dst, h.Term)
	dst = binary.AppendVarint(dst, h.Offset)
	dst = binary.AppendUvarint(dst, uint64(len(h.Voters)))
	for _, v := range h.Voters {
		dst = appendString(binary.AppendVarint(dst, int64(v.Node)), v.Address)
	}
	return dst
}

func parseHello(b []byte) (Hello, error) {
	r := fields{b: b}
	h := Hello{ClusterID: r.str(), Node: r.int32(), Directory: r.id(), Incarnation: r.id(), Release: r.str()}
	h.Leader, h.Term, h.Offset = r.int32(), r.varint(), r.varint()
	n := r.uvarint()
	if n > maxVoters {
		return h, fmt.Errorf("a hello names %d voters", n)
	}
	for range n {
		h.Voters = append(h.Voters, Peer{Node: r.int32(), Address: r.str()})
		if r.bad {
			break
		}
	}
	if r.bad {
		return h, errors.New("a hello makes no sense")
	}
	if h.Node < 0 {
		return h, fmt.Errorf("a hello is of node %d", h.Node)
	}
	return h, nil
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// fields reads what append wrote; bad says that it was not that.
type fields struct {
	b   []byte
	bad bool
}

func (r *fields) fail() {
	r.b, r.bad = nil, true
}

func (r *fields) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *fields) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *fields) int32() int32 {
	v := r.varint()
	if int64(int32(v)) != v {
		r.fail()
	}
	return int32(v)
}

func (r *fields) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *fields) str() string { return string(r.take(r.uvarint())) }

func (r *fields) id() (id model.ID) {
	copy(id[:], r.take(uint64(len(id))))
	return id
}
