package peers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/proto/link"
)

// What goes over a link. docs/formats/link.md has the payloads.
const (
	kindUrgent   uint8 = 1 // message: Raft's heartbeats and votes
	kindRaft     uint8 = 2 // message: what else Raft says
	kindSnapshot uint8 = 3 // call: a message of Raft with a snapshot; no answer but that it came
	kindTail     uint8 = 4 // call: the metadata from an offset on
	kindWhere    uint8 = 5 // call: who leads, and what is committed
	kindDecide   uint8 = 6 // call: an envelope, for the active controller
)

// An answer of the controller begins with one of these.
const (
	saysDone  = 0 // what was asked for follows
	saysOther = 1 // nothing was done: another node leads, which follows, -1 if none is known
)

func (p *Peers) handle(ctx context.Context, from link.Hello, kind uint8, payload []byte) ([]byte, error) {
	switch kind {
	case kindSnapshot:
		return nil, p.step(from, payload)
	case kindTail:
		return p.serveTail(ctx, payload)
	case kindWhere:
		return p.serveWhere()
	case kindDecide:
		return p.serveDecide(ctx, payload)
	}
	return nil, fmt.Errorf("a newer release asks for %d: upgrade node %d", kind, p.c.Node)
}

// other is the answer of a node that does not lead.
func other(l leader) []byte {
	return binary.AppendVarint(binary.AppendVarint([]byte{saysOther}, int64(l.node)), l.term)
}

// open reads the beginning of an answer. It returns nil and who leads if nothing was done.
func open(answer []byte) (rest []byte, elsewhere leader, err error) {
	r := fields{b: answer}
	switch r.u8() {
	case saysDone:
		return r.b, leader{}, r.err()
	case saysOther:
		elsewhere = leader{r.int32(), r.varint()}
		return nil, elsewhere, r.err()
	}
	return nil, leader{}, errors.New("peers: an answer makes no sense")
}

// fields reads what was appended; bad says that it was not that.
type fields struct {
	b   []byte
	bad bool
}

func (r *fields) err() error {
	if r.bad {
		return errors.New("peers: what a node has sent makes no sense")
	}
	return nil
}

func (r *fields) fail() { r.b, r.bad = nil, true }

func (r *fields) u8() uint8 {
	if len(r.b) == 0 {
		r.fail()
		return 0xff
	}
	v := r.b[0]
	r.b = r.b[1:]
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

func (r *fields) int16() int16 {
	v := r.varint()
	if int64(int16(v)) != v {
		r.fail()
	}
	return int16(v)
}

// bytes aliases what it reads from.
func (r *fields) bytes() []byte {
	n, k := binary.Uvarint(r.b)
	if k <= 0 || n > uint64(len(r.b)-k) {
		r.fail()
		return nil
	}
	v := r.b[k : k+int(n) : k+int(n)]
	r.b = r.b[k+int(n):]
	return v
}

func appendBytes[T string | []byte](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}
