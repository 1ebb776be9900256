package link

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// inbox puts the pieces of payloads together again. It belongs to the reader of a line.
type inbox struct {
	most   int           // bytes of a payload
	budget *atomic.Int64 // bytes that all lines may hold in pieces
	parts  map[part][]byte
	held   int    // bytes of pieces in parts, or read just now
	came   uint64 // bytes of pieces, in the line's life
	told   uint64 // of them, confirmed
}

// part is what a piece belongs to: messages go by kind, the rest by id.
type part struct {
	typ  frameType
	kind uint8
	id   uint64
}

func partOf(h head) part {
	switch h.typ {
	case frameMessage:
		return part{h.typ, h.kind, 0}
	case frameFailure: // an answer, too
		return part{frameAnswer, 0, h.id}
	}
	return part{h.typ, 0, h.id}
}

// mostParts is how many payloads of a line may be in pieces at once.
const mostParts = 4096

// into finds the place for the payload of a frame.
func (in *inbox) into(h head) ([]byte, error) {
	if h.flags == 0 {
		return nil, nil
	}
	if h.flags&flagBulk == 0 || h.typ < frameMessage || h.typ > frameFailure {
		return nil, errors.New("a frame that cannot come in pieces does")
	}
	b, ok := in.parts[partOf(h)]
	if len(b)+h.length > in.most {
		return nil, fmt.Errorf("a payload of more than %d bytes", in.most)
	}
	if !ok && len(in.parts) >= mostParts {
		return nil, errors.New("too many payloads in pieces at once")
	}
	if in.budget.Add(-int64(h.length)) < 0 {
		in.budget.Add(int64(h.length))
		return nil, errors.New("payloads in pieces hold as much memory as they may")
	}
	in.held += h.length
	in.came += uint64(h.length)
	return b, nil
}

// take keeps the payload that was read, or returns it if it is whole.
func (in *inbox) take(h head, b []byte) (payload []byte, whole bool) {
	switch {
	case h.flags == 0:
		return b, true
	case h.flags&flagMore != 0:
		in.parts[partOf(h)] = b
		return nil, false
	}
	in.drop(partOf(h), len(b))
	return b, true
}

// drop forgets what has come of a payload: n bytes.
func (in *inbox) drop(p part, n int) {
	delete(in.parts, p)
	in.held -= n
	in.budget.Add(int64(n))
}

// cancel forgets a call that is given up.
func (in *inbox) cancel(id uint64) {
	p := part{frameCall, 0, id}
	if b, ok := in.parts[p]; ok {
		in.drop(p, len(b))
	}
}

// close gives back what unfinished payloads hold.
func (in *inbox) close() {
	in.budget.Add(int64(in.held))
	in.held, in.parts = 0, nil
}

// due reports whether the other side should be told what has come.
func (in *inbox) due() bool {
	if in.came-in.told < window/4 {
		return false
	}
	in.told = in.came
	return true
}
