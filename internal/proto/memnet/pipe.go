package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// pipe carries bytes one way. Its reader and its writer are ends of two different
// conns.
type pipe struct {
	window int

	mu      sync.Mutex // guards all below; held over nothing that waits
	buf     []byte     // unread bytes: buf[off:]
	off     int
	ended   bool          // the writer has closed: end of file after buf
	deaf    bool          // the reader has closed: writing fails
	reset   bool          // both sides fail, buf is gone
	frozen  bool          // nothing arrives, no end and no reset either; see Network.Freeze
	gone    bool          // frozen for ever; see Network.Swallow
	lag     *lag          // nil if bytes arrive at once
	chop    *chop         // nil if they arrive as they come
	late    []arrival     // of bytes that are on their way still, in order
	sent    int64         // bytes that were written, in all
	there   int64         // of them those that have arrived
	passed  int64         // of them those that were read
	waiting bool          // somebody waits for changed
	changed chan struct{} // closed and replaced at each change while somebody waits
}

func newPipe(window int) *pipe {
	return &pipe{window: window, changed: make(chan struct{})}
}

// wake tells all who wait that something has changed. The caller holds mu.
func (p *pipe) wake() {
	if p.waiting {
		close(p.changed)
		p.changed = make(chan struct{})
		p.waiting = false
	}
}

// wait returns what will be closed at the next change. The caller holds mu.
func (p *pipe) wait() <-chan struct{} {
	p.waiting = true
	return p.changed
}

// arrival says when the bytes before a position in the stream are there.
type arrival struct {
	upTo int64
	at   time.Time
}

// next is what to wait for before trying again: a change, or that at has come, if it is set.
type next struct {
	changed <-chan struct{}
	at      time.Time
}

// arrival is a channel that tells when at has come, and what to call then; nil if none is set.
func (n next) arrival() (<-chan time.Time, func()) {
	if n.at.IsZero() {
		return nil, func() {}
	}
	timer := time.NewTimer(time.Until(n.at))
	return timer.C, func() { timer.Stop() }
}

// read takes bytes, or returns what to wait for before trying again.
func (p *pipe) read(b []byte) (int, next, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(b) == 0:
		return 0, next{}, nil
	case p.frozen || p.gone:
		return 0, next{changed: p.wait()}, nil
	case p.reset:
		return 0, next{}, syscall.ECONNRESET
	case len(p.buf) > p.off:
		there, at := p.arrived()
		if there == 0 {
			return 0, next{changed: p.wait(), at: at}, nil
		}
		if p.chop != nil {
			there = min(there, p.chop.draw())
		}
		n := copy(b, p.buf[p.off:p.off+there])
		p.passed += int64(n)
		if p.off += n; p.off == len(p.buf) {
			p.buf, p.off = p.buf[:0], 0
		}
		p.wake()
		return n, next{}, nil
	case p.ended:
		return 0, next{}, io.EOF
	}
	return 0, next{changed: p.wait()}, nil
}

// arrived is how many unread bytes are there, and when more will be if there are none. The
// caller holds mu.
func (p *pipe) arrived() (n int, at time.Time) {
	if len(p.late) > 0 {
		now := time.Now()
		for len(p.late) > 0 && !p.late[0].at.After(now) {
			p.there, p.late = p.late[0].upTo, p.late[1:]
		}
	}
	if n = int(p.there - p.passed); n == 0 {
		at = p.late[0].at // for there are unread bytes
	}
	return n, at
}

// write puts in as much as the window allows, and returns a channel to wait on if
// that was not all.
func (p *pipe) write(b []byte) (int, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.reset && !p.frozen:
		return 0, nil, syscall.ECONNRESET
	case p.ended:
		return 0, nil, net.ErrClosed
	case p.deaf && !p.frozen:
		return 0, nil, syscall.EPIPE
	}
	n := min(len(b), p.window-(len(p.buf)-p.off))
	if n > 0 {
		p.append(b[:n])
		p.depart(n)
		p.wake()
	}
	if n == len(b) {
		return n, nil, nil
	}
	return n, p.wait(), nil
}

func (p *pipe) append(b []byte) {
	if p.off > 0 && len(p.buf)+len(b) > cap(p.buf) {
		p.buf = p.buf[:copy(p.buf, p.buf[p.off:])]
		p.off = 0
	}
	p.buf = append(p.buf, b...)
}

// depart notes that n more bytes are on their way. The caller holds mu.
func (p *pipe) depart(n int) {
	p.sent += int64(n)
	var at time.Time
	if len(p.late) > 0 {
		at = p.late[len(p.late)-1].at
	}
	switch {
	case p.lag != nil:
		if own := time.Now().Add(p.lag.draw()); own.After(at) {
			at = own
		} else {
			at = at.Add(1) // at an instant of its own, too
		}
	case len(p.late) == 0:
		p.there = p.sent
		return
	}
	p.late = append(p.late, arrival{upTo: p.sent, at: at})
}

// tune brings the pipe to what is wrong with its way now.
func (p *pipe) tune(frozen bool, l *lag, c *chop) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lag, p.chop = l, c
	if p.frozen != frozen {
		p.frozen = frozen
		p.wake()
	}
}

// swallow has nothing arrive any more.
func (p *pipe) swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.wake()
}

// end is the writer's close.
func (p *pipe) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.wake()
}

// deafen is the reader's close. It reports whether bytes are lost by it.
func (p *pipe) deafen() (lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lost = len(p.buf) > p.off
	p.deaf = true
	p.wake()
	return lost
}

// kill drops what is in flight; both sides fail from now on.
func (p *pipe) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reset, p.buf, p.off, p.late = true, nil, 0, nil
	p.wake()
}

// find ends swallow: the end of the connection is told.
func (p *pipe) find() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = false
	p.wake()
}

// errTimeout is what a passed deadline returns.
var errTimeout = os.ErrDeadlineExceeded
