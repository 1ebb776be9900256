package link

import (
	"fmt"
	"slices"
	"sync"
)

// outbox decides what a line sends next: first what keeps the line going, then payloads
// that fit into one frame in their order, and among them, one piece a turn, those that do
// not. So a snapshot does not hold up a heartbeat.
//
// Invariants: a message does not overtake another of its kind. Pieces that the other side
// has not confirmed are no more than window bytes, so that what the kernel and the
// network hold of them is little. Taking and putting never wait.
type outbox struct {
	mu      sync.Mutex // guards all below; held over nothing that waits
	wake    chan struct{}
	control []control
	credit  uint64 // to be told to the other side, 0 if it knows
	small   []*parcel
	ready   int                 // bytes of the frames of small
	bulk    []*parcel           // the first is next
	behind  map[uint8][]*parcel // messages that wait for a bulk one of their kind
	queued  int                 // bytes of messages in small, bulk and behind
	sent    uint64              // bytes of pieces, in this line's life
	came    uint64              // of them, confirmed
	calls   map[uint64]*parcel  // not sent whole yet
	answers map[uint64]struct{} // not sent whole yet; to count them
	batch   []ending            // of the calls that end in the newest batch
	failed  map[uint64]bool     // calls that were taken, but cannot have arrived whole
}

// ending is where a call ends in a batch: until that byte is written it cannot be served.
type ending struct {
	id uint64
	at int
}

// parcel is a payload on its way.
type parcel struct {
	typ     frameType
	kind    uint8
	id      uint64
	payload []byte
	at      int  // what has been sent
	begun   bool // some of it was handed to a line
}

// control is a frame without a payload to speak of.
type control struct {
	typ     frameType
	id      uint64
	payload []byte
}

const (
	window    = 1 << 20   // bytes of pieces on their way
	batchSize = 128 << 10 // bytes that are written at once, about
)

func newOutbox() *outbox {
	return &outbox{
		wake: make(chan struct{}, 1), behind: map[uint8][]*parcel{},
		calls: map[uint64]*parcel{}, answers: map[uint64]struct{}{}, failed: map[uint64]bool{},
	}
}

func (o *outbox) rouse() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// tell queues a frame that keeps the line going.
func (o *outbox) tell(c control) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.control = append(o.control, c)
	o.rouse()
}

// confirm has the other side told how many bytes of pieces have come.
func (o *outbox) confirm(came uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.credit = came
	o.rouse()
}

// confirmed takes the other side's word for it.
func (o *outbox) confirmed(came uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if came > o.sent || came < o.came {
		return fmt.Errorf("%d bytes are confirmed, and %d were sent", came, o.sent)
	}
	o.came = came
	o.rouse()
	return nil
}

// message queues a message, or drops it if as many bytes wait as may.
func (o *outbox) message(kind uint8, payload []byte, most int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.queued >= most {
		return false
	}
	o.queued += len(payload) + headSize
	p := &parcel{typ: frameMessage, kind: kind, payload: payload}
	if waiting, ok := o.behind[kind]; ok {
		o.behind[kind] = append(waiting, p)
		return true
	}
	o.enqueue(p)
	o.rouse()
	return true
}

// call queues a call.
func (o *outbox) call(kind uint8, id uint64, payload []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := &parcel{typ: frameCall, kind: kind, id: id, payload: payload}
	o.calls[id] = p
	o.enqueue(p)
	o.rouse()
}

// answer queues an answer or a failure.
func (o *outbox) answer(typ frameType, id uint64, payload []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers[id] = struct{}{}
	o.enqueue(&parcel{typ: typ, id: id, payload: payload})
	o.rouse()
}

// enqueue gives a parcel its place. mu is held.
func (o *outbox) enqueue(p *parcel) {
	if len(p.payload) <= pieceSize {
		o.small = append(o.small, p)
		o.ready += headSize + len(p.payload)
		return
	}
	o.bulk = append(o.bulk, p)
	if p.typ == frameMessage {
		o.behind[p.kind] = nil
	}
}

// cancel takes back a call that nobody waits for any more, and tells the other side if
// some of it has been sent. It reports whether all of it was: then it may have an effect.
func (o *outbox) cancel(id uint64) (sent bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, waits := o.calls[id]
	if waits {
		delete(o.calls, id)
		n := len(o.small)
		if o.small = without(o.small, p); len(o.small) < n {
			o.ready -= headSize + len(p.payload)
		}
		o.bulk = without(o.bulk, p)
	}
	if !waits || p.begun {
		o.control = append(o.control, control{typ: frameCancel, id: id})
		o.rouse()
	}
	return !waits
}

func without(list []*parcel, p *parcel) []*parcel {
	if i := slices.Index(list, p); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// due is how much next will append, 0 if there is nothing to send.
func (o *outbox) due() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(o.ready, batchSize+headSize+pieceSize)
	for _, c := range o.control {
		n += headSize + len(c.payload)
	}
	if o.credit > 0 {
		n += headSize
	}
	if o.mayPiece() {
		n += headSize + pieceSize
	}
	return n
}

// mayPiece reports whether a piece may be sent. mu is held.
func (o *outbox) mayPiece() bool { return len(o.bulk) > 0 && o.sent-o.came+pieceSize <= window }

// next appends frames to dst, or nothing if there is nothing to send. After the last the
// line is to end: the other side is refused.
func (o *outbox) next(dst []byte) (_ []byte, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.batch = o.batch[:0]
	for _, c := range o.control {
		dst = appendFrame(dst, c.typ, 0, 0, c.id, c.payload)
		if c.typ == frameRefuse {
			return dst, true
		}
	}
	o.control = nil
	if o.credit > 0 {
		dst = appendFrame(dst, frameCredit, 0, 0, o.credit, nil)
		o.credit = 0
	}
	n := 0
	for ; n < len(o.small) && len(dst) < batchSize; n++ {
		p := o.small[n]
		o.small[n] = nil
		dst = appendFrame(dst, p.typ, p.kind, 0, p.id, p.payload)
		o.ready -= headSize + len(p.payload)
		o.finished(p, len(dst))
	}
	if o.small = o.small[n:]; len(o.small) == 0 {
		o.small = nil
	}
	if o.mayPiece() {
		dst = o.piece(dst)
	}
	return dst, false
}

// piece appends the next piece of the first bulk parcel, which then goes to the end.
func (o *outbox) piece(dst []byte) []byte {
	p := o.bulk[0]
	o.bulk = o.bulk[1:]
	end, flags := p.at+pieceSize, uint8(flagBulk|flagMore)
	if end >= len(p.payload) {
		end, flags = len(p.payload), flagBulk
	}
	dst = appendFrame(dst, p.typ, p.kind, flags, p.id, p.payload[p.at:end])
	o.sent += uint64(end - p.at)
	p.at, p.begun = end, true
	if end < len(p.payload) {
		o.bulk = append(o.bulk, p)
		return dst
	}
	o.finished(p, len(dst))
	if p.typ == frameMessage {
		o.release(p.kind)
	}
	return dst
}

// release queues the messages that waited for a bulk one of their kind, up to the next.
func (o *outbox) release(kind uint8) {
	waiting := o.behind[kind]
	delete(o.behind, kind)
	for i, p := range waiting {
		o.enqueue(p)
		if _, again := o.behind[kind]; again {
			o.behind[kind] = waiting[i+1:]
			return
		}
	}
}

// finished notes that a parcel has been handed over whole, in a batch up to byte at. mu is
// held.
func (o *outbox) finished(p *parcel, at int) {
	switch p.typ {
	case frameMessage:
		o.queued -= len(p.payload) + headSize
	case frameCall:
		delete(o.calls, p.id)
		o.batch = append(o.batch, ending{p.id, at})
	default:
		delete(o.answers, p.id)
	}
}

// written notes that the line has failed after n bytes of the newest batch.
func (o *outbox) written(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.batch {
		if e.at > n {
			o.failed[e.id] = true
		}
	}
}

// renew makes the outbox ready for a new line: what was begun begins again. It returns
// the calls that still wait, and those that were taken but cannot have arrived; every
// other may have.
func (o *outbox) renew() (waiting, failed map[uint64]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.control, o.credit, o.sent, o.came = nil, 0, 0, 0
	waiting, failed = map[uint64]bool{}, o.failed
	o.failed = map[uint64]bool{}
	for _, p := range o.bulk {
		p.at, p.begun = 0, false
	}
	for id := range o.calls {
		waiting[id] = true
	}
	o.rouse()
	return waiting, failed
}

// clear drops everything: there is no line, and none is expected soon.
func (o *outbox) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.control, o.credit, o.sent, o.came = nil, 0, 0, 0
	o.small, o.bulk, o.queued, o.ready = nil, nil, 0, 0
	clear(o.behind)
	clear(o.calls)
	clear(o.failed)
}

// unanswered is the number of answers that wait to be sent.
func (o *outbox) unanswered() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.answers)
}
