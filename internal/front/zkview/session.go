package zkview

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// session is one connection. The reader answers; the watcher tells of changes.
type session struct {
	server *Server
	conn   net.Conn

	mu      sync.Mutex // guards what follows; held over no wait
	watches watches
	seen    *metadata.Image // up to which watches have fired
	out     []byte          // frames that are to be written
	more    chan struct{}   // there is something in out
}

const (
	maxFrame   = 1 << 20 // ZooKeeper's own limit (jute.maxbuffer)
	maxPending = 32 << 20
	least      = 4 * time.Second // time-outs of sessions
	most       = 40 * time.Second
	writeWait  = 10 * time.Second
)

// run serves the connection until it ends.
func (s *session) run(ctx context.Context) error {
	defer s.conn.Close()
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	timeout, err := s.greet()
	if err != nil || timeout == 0 {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { s.follow(ctx) })
	wg.Go(func() { s.write(ctx) })
	for {
		// A client that is silent for its time-out is gone: it pings well within it.
		_ = s.conn.SetReadDeadline(time.Now().Add(timeout))
		b, err := s.read()
		if err != nil {
			return err
		}
		if end, err := s.request(b); err != nil || end {
			return err
		}
	}
}

// greet takes a four letter word, after which there is nothing, or a connect request.
func (s *session) greet() (timeout time.Duration, err error) {
	_ = s.conn.SetDeadline(time.Now().Add(least))
	var head [4]byte
	if _, err := io.ReadFull(s.conn, head[:]); err != nil {
		return 0, nil // somebody who looks whether the port is open
	}
	if say := words[string(head[:])]; say != nil {
		_, err := io.WriteString(s.conn, say(s.server))
		return 0, err
	}
	b, err := s.body(head)
	if err != nil {
		return 0, err
	}
	d := decoder{b: b}
	d.int()  // protocol version
	d.long() // last change seen
	asked := time.Duration(d.int()) * time.Millisecond
	d.long()   // session to go on with: there are none here, a new one is as good
	d.buffer() // its password
	readOnly := len(d.b) > 0
	if d.err != nil {
		return 0, d.err
	}
	timeout = min(max(asked, least), most)
	out := newFrame()
	out.int(0)
	out.int(int32(timeout.Milliseconds()))
	out.long(s.server.nextSession.Add(1))
	out.buffer(make([]byte, 16))
	if readOnly {
		out.bool(false) // it is as good as a server of a whole ensemble; writes are refused one by one
	}
	_, err = s.conn.Write(out.frame())
	_ = s.conn.SetDeadline(time.Time{})
	return timeout, err
}

func (s *session) read() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(s.conn, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	return s.body(head)
}

func (s *session) body(head [4]byte) ([]byte, error) {
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes is over the limit of %d", n, maxFrame)
	}
	// There is room for what has come, not for what is claimed: nobody has said who they are.
	var b bytes.Buffer
	if _, err := io.CopyN(&b, s.conn, int64(n)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// request answers one request. end says that the session is over.
func (s *session) request(b []byte) (end bool, err error) {
	if b == nil {
		return true, nil
	}
	d := &decoder{b: b}
	xid, op := d.int(), d.int()
	if d.err != nil {
		return true, d.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp(s.server.feed.Image())
	if err := s.push(s.answer(s.seen, xid, op, d)); err != nil {
		return true, err
	}
	if op == opCloseSession {
		_ = s.conn.SetWriteDeadline(time.Now().Add(writeWait))
		_, err := s.conn.Write(s.out)
		s.out = nil
		return true, err
	}
	return false, nil
}

// follow tells of changes that nobody asks about.
func (s *session) follow(ctx context.Context) {
	image := s.server.feed.Image()
	for {
		next, _, err := s.server.feed.Next(ctx, image)
		if err != nil {
			return
		}
		image = next
		s.mu.Lock()
		s.catchUp(image)
		s.mu.Unlock()
	}
}

// catchUp moves on to an image: events come before any answer that shows the change, as
// ZooKeeper promises. mu is held.
func (s *session) catchUp(m *metadata.Image) {
	if m.Offset <= s.seen.Offset {
		return
	}
	was := s.seen
	s.seen = m
	s.tell(s.watches.fire(was, m))
}

// tell queues events. mu is held.
func (s *session) tell(events []event) {
	for _, e := range events {
		out := newFrame()
		out.header(xidWatch, -1, ok)
		out.int(e.kind)
		out.int(connected)
		out.string(e.path)
		if err := s.push(out.frame()); err != nil {
			s.conn.Close()
			return
		}
	}
}

var errSlow = errors.New("the client does not read what it has asked for")

// push queues a frame. mu is held.
func (s *session) push(frame []byte) error {
	if len(s.out)+len(frame) > maxPending {
		return errSlow
	}
	s.out = append(s.out, frame...)
	select {
	case s.more <- struct{}{}:
	default:
	}
	return nil
}

// write sends what is queued.
func (s *session) write(ctx context.Context) {
	for {
		select {
		case <-s.more:
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		out := s.out
		s.out = nil
		s.mu.Unlock()
		_ = s.conn.SetWriteDeadline(time.Now().Add(writeWait))
		if _, err := s.conn.Write(out); err != nil {
			s.conn.Close()
			return
		}
	}
}

// rewatch sets the watches of a client that has lost its connection. mu is held.
func (s *session) rewatch(m *metadata.Image, d *decoder, persistent bool) {
	since := d.long()
	s.tell(s.watches.restore(m, since, d, persistent))
}
