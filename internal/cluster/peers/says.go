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
	r := link.Fields{B: answer}
	switch r.U8() {
	case saysDone:
		return r.B, leader{}, sane(&r)
	case saysOther:
		elsewhere = leader{r.Int32(), r.Varint()}
		return nil, elsewhere, sane(&r)
	}
	return nil, leader{}, errors.New("peers: an answer makes no sense")
}

// sane returns an error if fields could not be read.
func sane(r *link.Fields) error {
	if r.Bad {
		return errors.New("peers: what a node has sent makes no sense")
	}
	return nil
}
