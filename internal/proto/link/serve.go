package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/odradek/odradek/internal/base/run"
)

// mostOpening is how many accepted connections may be before their hello at once.
const mostOpening = 256

// Listen accepts lines until ctx ends, then closes the listener and the lines, and waits
// for them. It returns nil if ctx has ended.
func (l *Link) Listen(ctx context.Context, ln net.Listener) error {
	g := run.New(ctx, "link")
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	err := l.accept(ctx, ln, g)
	ln.Close()
	g.Stop(errEnded)
	werr := g.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(err, werr)
}

func (l *Link) accept(ctx context.Context, ln net.Listener, g *run.Group) error {
	for {
		nc, err := acceptPatiently(ctx, ln)
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		g.Go("accepted line", func(ctx context.Context) error {
			if err := l.Serve(ctx, nc); err != nil && ctx.Err() == nil {
				l.c.Log.Debug("link: an accepted line has ended", "remote", nc.RemoteAddr(), "error", err)
			}
			return nil
		})
	}
}

// acceptPatiently rides out errors that pass, such as a lack of file descriptors.
func acceptPatiently(ctx context.Context, ln net.Listener) (net.Conn, error) {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		nc, err := ln.Accept()
		var t interface{ Temporary() bool }
		if err == nil || errors.Is(err, net.ErrClosed) || !errors.As(err, &t) || !t.Temporary() {
			return nc, err
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// Serve serves a connection that another node has dialed, from its first byte until it
// ends, and says why it has. It closes the connection.
func (l *Link) Serve(ctx context.Context, nc net.Conn) error {
	defer nc.Close()
	n, err := l.welcome(ctx, nc)
	if n == nil {
		return err
	}
	l.enter(n)
	err = n.run(ctx)
	l.mu.Lock()
	delete(l.accepted, n)
	l.mu.Unlock()
	if refused, ok := errors.AsType[*refusal](err); ok {
		l.c.Refused(n.remote.Load().Node, refused.err)
	}
	if ctx.Err() == nil {
		l.c.Lost(*n.remote.Load())
	}
	return err
}

// enter notes an accepted line, and ends those that an earlier process of the node has
// left behind: who loses its power does not say goodbye.
func (l *Link) enter(n *line) {
	is := n.remote.Load()
	for _, old := range l.lines() {
		if h := old.remote.Load(); h.Node == is.Node && h.Incarnation != is.Incarnation {
			old.nc.Close()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted[n] = struct{}{}
}

// welcome exchanges hellos. It returns no line if the other side only asks.
func (l *Link) welcome(ctx context.Context, nc net.Conn) (*line, error) {
	defer l.opening.Add(-1)
	if l.opening.Add(1) > mostOpening {
		return nil, errors.New("too many connections have not said hello")
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	if err := nc.SetDeadline(time.Now().Add(l.c.Patience)); err != nil {
		return nil, err
	}
	in := newFrames(&patient{Conn: nc, quiet: l.c.Quiet, patience: l.c.Patience})
	if _, err := in.opening(); err != nil {
		return nil, err
	}
	h, asks, err := in.greeting()
	if err != nil {
		return nil, err
	}
	if err := l.c.Check(h); err != nil {
		l.c.Log.Warn("link: a node is refused", "node", h.Node, "remote", nc.RemoteAddr(), "error", err)
		l.turnAway(nc, appendRefusal(append([]byte(Magic), version), err))
		return nil, err
	}
	if _, err := nc.Write(appendOpening(nil, l.c.Self(), 0)); err != nil {
		return nil, err
	}
	if asks {
		return nil, nil
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return l.newLine(nc, in, h, nil), nil
}

// turnAway says a last word and closes the connection.
func (l *Link) turnAway(nc net.Conn, word []byte) {
	if nc.SetWriteDeadline(time.Now().Add(l.c.Patience)) == nil {
		_, _ = nc.Write(word) // it is said again when the other side comes again
	}
	nc.Close()
}
