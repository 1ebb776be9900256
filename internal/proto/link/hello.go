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
	dst = AppendBytes(dst, h.ClusterID)
	dst = binary.AppendVarint(dst, int64(h.Node))
	dst = append(dst, h.Directory[:]...)
	dst = append(dst, h.Incarnation[:]...)
	dst = AppendBytes(dst, h.Release)
	dst = binary.AppendVarint(dst, int64(h.Leader))
	dst = binary.AppendVarint(dst, h.Term)
	dst = binary.AppendVarint(dst, h.Offset)
	dst = binary.AppendUvarint(dst, uint64(len(h.Voters)))
	for _, v := range h.Voters {
		dst = AppendBytes(binary.AppendVarint(dst, int64(v.Node)), v.Address)
	}
	return dst
}

func parseHello(b []byte) (Hello, error) {
	r := Fields{B: b}
	h := Hello{ClusterID: string(r.Bytes()), Node: r.Int32(), Directory: r.id(), Incarnation: r.id(), Release: string(r.Bytes())}
	h.Leader, h.Term, h.Offset = r.Int32(), r.Varint(), r.Varint()
	n := r.Uvarint()
	if n > maxVoters {
		return h, fmt.Errorf("a hello names %d voters", n)
	}
	for range n {
		h.Voters = append(h.Voters, Peer{Node: r.Int32(), Address: string(r.Bytes())})
		if r.Bad {
			break
		}
	}
	if r.Bad {
		return h, errors.New("a hello makes no sense")
	}
	if h.Node < 0 {
		return h, fmt.Errorf("a hello is of node %d", h.Node)
	}
	return h, nil
}
