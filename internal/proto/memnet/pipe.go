package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
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

// read takes bytes, or returns a channel to wait on before trying again.
func (p *pipe) read(b []byte) (int, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(b) == 0:
		return 0, nil, nil
	case p.frozen:
		return 0, p.wait(), nil
	case p.reset:
		return 0, nil, syscall.ECONNRESET
	case len(p.buf) > p.off:
		n := copy(b, p.buf[p.off:])
		if p.off += n; p.off == len(p.buf) {
			p.buf, p.off = p.buf[:0], 0
		}
		p.wake()
		return n, nil, nil
	case p.ended:
		return 0, nil, io.EOF
	}
	return 0, p.wait(), nil
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

// freeze stops or lets on what is in flight.
func (p *pipe) freeze(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = on
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
	p.reset, p.buf, p.off = true, nil, 0
	p.wake()
}

// errTimeout is what a passed deadline returns.
var errTimeout = os.ErrDeadlineExceeded
