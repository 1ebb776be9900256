package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/base/pool"
	"github.com/odradek/odradek/internal/base/run"
)

// line is one connection after both sides have said hello.
type line struct {
	l      *Link
	nc     net.Conn
	in     *frames
	out    *outbox
	peer   *peer // that was dialed; nil if the other side has dialed
	remote atomic.Pointer[Hello]
	box    inbox
	calls  *handlers // of an accepted line
}

// patient reads from a connection and, once it has a ping, pings when the connection is
// quiet and ends it when nothing comes even so.
type patient struct {
	net.Conn
	quiet, patience time.Duration
	ping            func() // nil until both sides have said hello
}

// Read reads at least one byte.
func (p *patient) Read(b []byte) (int, error) {
	if p.ping == nil {
		return p.Conn.Read(b)
	}
	wait := p.quiet
	for {
		until := time.Now().Add(wait)
		if err := p.SetReadDeadline(until); err != nil {
			return 0, err
		}
		n, err := p.Conn.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		switch late := time.Since(until) > p.quiet/2; {
		case late: // this process was held up itself, and what came meanwhile is not read yet
		case wait == p.patience:
			return 0, fmt.Errorf("nothing came for %v", p.quiet+p.patience)
		default:
			p.ping()
			wait = p.patience
		}
	}
}

// newLine makes a line of a connection on which both sides have said hello. peer is nil
// if the other side has dialed.
func (l *Link) newLine(nc net.Conn, in *frames, remote Hello, p *peer) *line {
	n := &line{l: l, nc: nc, in: in, peer: p, box: inbox{most: l.c.MaxPayload, budget: &l.budget, parts: map[part][]byte{}}}
	if n.out = newOutbox(); p != nil {
		n.out = p.out
	}
	n.remote.Store(&remote)
	in.from.ping = func() { n.out.tell(control{typ: framePing}) }
	return n
}

// errEnded is why a line ends that this node ends.
var errEnded = errors.New("this node has ended the line")

// run serves the line until it ends, and says why. It closes the connection.
func (n *line) run(ctx context.Context) error {
	g := run.New(ctx, "link")
	defer n.box.close()
	stop := context.AfterFunc(ctx, func() { n.nc.Close() })
	defer stop()
	if n.peer == nil {
		n.calls = &handlers{n: n, g: g, cancels: map[uint64]context.CancelFunc{}}
	}
	g.Go("writer", n.write)
	err := n.read()
	n.nc.Close()
	g.Stop(errEnded)
	werr := g.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused
	}
	return errors.Join(werr, err)
}

// write writes what the outbox has.
func (n *line) write(ctx context.Context) error {
	for {
		select {
		case <-n.out.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for more := true; more; {
			var err error
			if more, err = n.flush(); err != nil {
				n.nc.Close()
				return err
			}
		}
	}
}

// flush writes one batch. Its buffer is lent, so that an idle line has none.
func (n *line) flush() (more bool, err error) {
	due := n.out.due()
	if due == 0 {
		return false, nil
	}
	buf := pool.Get(due)
	defer buf.Release()
	b, last := n.out.next(buf.B[:0])
	if len(b) == 0 {
		return false, nil
	}
	written, err := n.nc.Write(b)
	if err != nil {
		n.out.written(written)
	} else if last {
		err = errEnded
	}
	return true, err
}

func (n *line) read() error {
	for {
		h, b, err := n.in.next(n.box.into)
		if err != nil {
			return err
		}
		if n.box.due() {
			n.out.confirm(n.box.came)
		}
		if payload, whole := n.box.take(h, b); whole {
			if err := n.dispatch(h, payload); err != nil {
				return err
			}
		}
	}
}

// dispatch gives a frame to whom it is for. The side that dialed gets answers, the other
// messages and calls.
func (n *line) dispatch(h head, payload []byte) error {
	switch {
	case h.typ == frameHello:
		return n.greeted(payload)
	case h.typ == frameRefuse:
		return &refusal{decodeError(payload)}
	case h.typ == framePing:
		n.out.tell(control{typ: framePong})
	case h.typ == framePong:
	case h.typ == frameCredit:
		return n.out.confirmed(h.id)
	case h.typ == frameMessage && n.peer == nil:
		n.l.c.Receive(*n.remote.Load(), h.kind, payload)
	case h.typ == frameCall && n.peer == nil:
		return n.calls.begin(h.kind, h.id, payload)
	case h.typ == frameCancel && n.peer == nil:
		n.box.cancel(h.id)
		n.calls.cancel(h.id)
	case h.typ == frameAnswer && n.peer != nil:
		n.peer.answered(h.id, payload, nil)
	case h.typ == frameFailure && n.peer != nil:
		n.peer.answered(h.id, nil, decodeError(payload))
	default:
		return fmt.Errorf("a frame of type %d", h.typ)
	}
	return nil
}

// greeted takes what the other side says of itself anew.
func (n *line) greeted(payload []byte) error {
	h, err := parseHello(payload)
	if err != nil {
		return err
	}
	if is := n.remote.Load(); h.Node != is.Node || h.Incarnation != is.Incarnation {
		return fmt.Errorf("node %d says that it is node %d", is.Node, h.Node)
	}
	n.remote.Store(&h)
	n.review()
	return nil
}

// review refuses a node that was welcome when the line began.
func (n *line) review() {
	h := n.remote.Load()
	if err := n.l.c.Check(*h); err != nil {
		n.l.c.Log.Warn("link: a node is refused", "node", h.Node, "error", err)
		n.out.tell(control{typ: frameRefuse, payload: encodeError(err)})
	}
}
