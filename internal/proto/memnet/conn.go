package memnet

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one end of a connection. Like a TCP connection it may be read by one
// goroutine and written by another; several writers do not interleave.
type conn struct {
	net           *Network
	local, remote Addr
	dialed        bool // it is the end of who dialed
	in, out       *pipe
	closed        atomic.Bool
	done          chan struct{}
	readBy        deadline
	writeBy       deadline
	turn          chan struct{} // holds a token while nobody writes
}

func newConn(n *Network, local, remote Addr, in, out *pipe) *conn {
	c := &conn{
		net: n, local: local, remote: remote, in: in, out: out,
		done: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	c.readBy.init()
	c.writeBy.init()
	c.turn <- struct{}{}
	return c
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) Read(b []byte) (int, error) {
	for {
		expired := c.readBy.expired()
		select {
		case <-c.done:
			return 0, c.fail("read", net.ErrClosed)
		case <-expired:
			return 0, c.fail("read", errTimeout)
		default:
		}
		n, next, err := c.in.read(b)
		if err != nil {
			return n, c.fail("read", err)
		}
		if next.changed == nil {
			return n, nil
		}
		arrived, stop := next.arrival()
		select {
		case <-next.changed:
		case <-arrived:
		case <-c.done:
		case <-expired:
		}
		stop()
	}
}

func (c *conn) Write(b []byte) (total int, err error) {
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-c.done:
		return 0, c.fail("write", net.ErrClosed)
	}
	for {
		expired := c.writeBy.expired()
		select {
		case <-c.done:
			return total, c.fail("write", net.ErrClosed)
		case <-expired:
			return total, c.fail("write", errTimeout)
		default:
		}
		n, changed, err := c.out.write(b[total:])
		total += n
		if err != nil {
			return total, c.fail("write", err)
		}
		if changed == nil {
			return total, nil
		}
		select {
		case <-changed:
		case <-c.done:
		case <-expired:
		}
	}
}

// Close ends both directions. The peer reads what is in flight and then the end of
// file; but if bytes of the peer were not read here, it sees a reset, as in TCP.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return c.fail("close", net.ErrClosed)
	}
	close(c.done)
	c.net.forget(c)
	if c.in.deafen() {
		c.out.kill()
		c.in.kill()
		return nil
	}
	c.out.end()
	return nil
}

// CloseWrite ends the direction to the peer only.
func (c *conn) CloseWrite() error {
	c.out.end()
	return nil
}

// Reset ends the connection and drops the bytes in flight; the peer's reads and
// writes fail with ECONNRESET.
func (c *conn) Reset() {
	c.in.kill()
	c.out.kill()
	c.in.find()
	c.out.find()
	if !c.closed.Swap(true) {
		close(c.done)
		c.net.forget(c)
	}
}

func (c *conn) SetDeadline(t time.Time) error {
	c.readBy.set(t)
	c.writeBy.set(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.readBy.set(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writeBy.set(t)
	return nil
}

func (c *conn) fail(op string, err error) error {
	if err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// deadline is a channel that is closed while a point in time has passed.
type deadline struct {
	mu    sync.Mutex // guards all below; held over nothing that waits
	timer *time.Timer
	times int // how often it was set: a timer that was stopped too late does nothing
	gone  chan struct{}
}

func (d *deadline) init() { d.gone = make(chan struct{}) }

func (d *deadline) expired() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gone
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.times++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	select {
	case <-d.gone:
		d.gone = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		close(d.gone)
		return
	}
	nth := d.times
	d.timer = time.AfterFunc(left, func() { d.fire(nth) })
}

func (d *deadline) fire(nth int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.times == nth {
		close(d.gone)
	}
}
