package link

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// How long Split waits for the first bytes of a connection: less when many are awaited,
// so that connections that say nothing cannot keep out those that do. A node says at once
// that it is one; what has said nothing by then is left to Kafka's side, which has limits
// of its own.
const (
	peekFor     = 5 * time.Second
	peekCrowded = 100 * time.Millisecond
	crowd       = 256
	mostPeeked  = 1024 // connections that may wait to be taken
)

// Split tells the connections of a listener apart by their first bytes: those of nodes
// come out of links, all others, with every byte, out of kafka. The listener is closed
// when both are; until then the connections of one that is closed are closed, too. It
// owns a goroutine until the listener has ended, and one for each connection until it
// is told apart and accepted.
func Split(ln net.Listener) (links, kafka net.Listener) {
	s := &splitter{ln: ln, done: make(chan struct{})}
	s.links, s.kafka = newSide(s), newSide(s)
	go s.run()
	return s.links, s.kafka
}

type splitter struct {
	ln           net.Listener
	links, kafka *side
	waiting      atomic.Int32
	closed       atomic.Int32
	done         chan struct{} // closed when the listener has ended; err is set then
	err          error
}

// side is one of the two listeners.
type side struct {
	s      *splitter
	ready  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newSide(s *splitter) *side {
	return &side{s: s, ready: make(chan net.Conn), closed: make(chan struct{})}
}

func (d *side) Addr() net.Addr { return d.s.ln.Addr() }

func (d *side) Accept() (net.Conn, error) {
	select {
	case <-d.closed:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: d.Addr(), Err: net.ErrClosed}
	default:
	}
	select {
	case nc := <-d.ready:
		return nc, nil
	case <-d.closed:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: d.Addr(), Err: net.ErrClosed}
	case <-d.s.done:
		return nil, d.s.err
	}
}

func (d *side) Close() (err error) {
	d.once.Do(func() {
		close(d.closed)
		if d.s.closed.Add(1) == 2 {
			err = d.s.ln.Close()
		}
	})
	return err
}

func (s *splitter) run() {
	defer close(s.done)
	for {
		nc, err := acceptPatiently(context.Background(), s.ln)
		if err != nil {
			s.err = err
			return
		}
		if s.waiting.Add(1) > mostPeeked {
			s.waiting.Add(-1)
			nc.Close()
			continue
		}
		go func() {
			defer s.waiting.Add(-1)
			s.sort(nc)
		}()
	}
}

// sort looks at the first bytes and hands the connection over.
func (s *splitter) sort(nc net.Conn) {
	patience := peekFor
	if s.waiting.Load() > crowd {
		patience = peekCrowded
	}
	first, err := peek(nc, patience)
	if err != nil {
		nc.Close()
		return
	}
	to := s.kafka
	if string(first) == Magic {
		to = s.links
	}
	select {
	case to.ready <- &peeked{Conn: nc, first: first}:
	case <-to.closed:
		nc.Close()
	case <-s.done:
		nc.Close()
	}
}

// peek reads until the bytes are those of a node or cannot be. It returns what it has
// when the time is over.
func peek(nc net.Conn, patience time.Duration) ([]byte, error) {
	if err := nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	first := make([]byte, 0, len(Magic))
	for len(first) < len(Magic) && string(first) == Magic[:len(first)] {
		n, err := nc.Read(first[len(first):len(Magic)])
		first = first[:len(first)+n]
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			break
		}
		if err == io.EOF && len(first) > 0 {
			break // the rest of the house says what it thinks of it
		}
		if err != nil {
			return nil, err
		}
	}
	return first, nc.SetReadDeadline(time.Time{})
}

// peeked is a connection whose first bytes were looked at and are read again.
type peeked struct {
	net.Conn
	first []byte
}

func (p *peeked) Read(b []byte) (int, error) {
	if len(p.first) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.first)
	p.first = p.first[n:]
	return n, nil
}

// CloseWrite ends the direction to the client, where the connection can do that.
func (p *peeked) CloseWrite() error {
	if c, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return p.Close()
}
