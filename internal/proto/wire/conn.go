package wire

import (
	"context"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/base/invariant"
)

// Conn is a client's connection. Its methods are safe for concurrent use.
//
// What is written belongs to the reader while nothing is pending, and to the
// finisher while something is; busy says which. Only the reader sets it and only the
// finisher, with an empty queue and everything flushed, clears it.
type Conn struct {
	srv      *Server
	nc       net.Conn
	id       uint64
	listener string
	host     string
	ctx      context.Context
	cancel   context.CancelCauseFunc
	opened   time.Time

	client        atomic.Pointer[ClientSoftware]
	principal     atomic.Pointer[string]
	authenticated atomic.Bool
	muted         atomic.Int64 // Unix nanoseconds until which nothing is read

	out  output
	busy atomic.Bool

	mu       sync.Mutex // guards queue; held over nothing that waits
	queue    []entry
	room     chan struct{} // one token when the queue has become shorter
	finished chan struct{} // one token when a finisher has ended

	held         bool    // of the reader: there is a queue, and its finisher is not begun
	lastClientID *string // of the reader
	largest      int     // the reader's largest frame so far
}

// ClientSoftware is what a client says of itself (KIP-511).
type ClientSoftware struct{ Name, Version string }

// entry is a request whose answer is not written yet.
type entry struct {
	r *Request
	p Pending // nil if r.ready is the answer
}

// anonymous is the principal of those who need not authenticate.
var anonymous = "User:ANONYMOUS"

func newConn(ctx context.Context, s *Server, nc net.Conn, listener, host string) *Conn {
	c := &Conn{
		srv: s, nc: nc, id: s.lastID.Add(1), listener: listener, host: host, opened: time.Now(),
		room: make(chan struct{}, 1), finished: make(chan struct{}, 1),
	}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.out.c = c
	c.client.Store(&ClientSoftware{})
	c.principal.Store(&anonymous)
	c.authenticated.Store(s.Preauth == nil || !s.Preauth(listener))
	return c
}

// ID is unique among the connections of a Server.
func (c *Conn) ID() uint64 { return c.id }

// Listener is the name of the listener that accepted the connection.
func (c *Conn) Listener() string { return c.listener }

// RemoteAddr is the client's address, Host its host part.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Host is the client's address without its port.
func (c *Conn) Host() string { return c.host }

// LocalAddr is the address at which the client came in.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// NetConn is the connection below, to learn of TLS. It must not be read or written.
func (c *Conn) NetConn() net.Conn { return c.nc }

// Client is what SetClient was told last.
func (c *Conn) Client() ClientSoftware { return *c.client.Load() }

// SetClient remembers what ApiVersions said.
func (c *Conn) SetClient(s ClientSoftware) { c.client.Store(&s) }

// Principal is who the client is: User:ANONYMOUS until Authenticate.
func (c *Conn) Principal() string { return *c.principal.Load() }

// Authenticate lets all requests in, in the name of principal.
func (c *Conn) Authenticate(principal string) {
	c.principal.Store(&principal)
	c.authenticated.Store(true)
}

// Authenticated reports whether all requests are let in.
func (c *Conn) Authenticated() bool { return c.authenticated.Load() }

// Context ends with the connection.
func (c *Conn) Context() context.Context { return c.ctx }

// Close ends the connection; reason is logged. Answers not yet written are dropped.
func (c *Conn) Close(reason error) {
	c.cancel(reason)
	c.nc.Close()
}

// run reads until the connection ends and returns when all its Pendings have run.
func (c *Conn) run() {
	stop := context.AfterFunc(c.ctx, func() { c.nc.Close() })
	defer stop()
	rd := reader{c: c}
	err := c.guarded(rd.run)
	if err == nil {
		err = errClientGone
	}
	c.Close(err)
	c.launch()
	rd.close()
	for c.busy.Load() {
		<-c.finished
	}
	c.out.drop()
}

// guarded runs f and turns its panic into an error, unless an invariant is broken.
func (c *Conn) guarded(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = c.panicked(v)
		}
	}()
	return f()
}

func (c *Conn) panicked(v any) error {
	invariant.Survive(v)
	c.srv.panics.Add(1)
	if c.srv.Observer != nil {
		c.srv.Observer.Panicked(c)
	}
	return &panicked{value: v, stack: debug.Stack()}
}

// mute keeps the connection unread for d from now on.
func (c *Conn) mute(d time.Duration) { c.muted.Store(time.Now().Add(d).UnixNano()) }
