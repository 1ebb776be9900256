package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultBudget is the limit of the Budget of a Server that was given none.
const DefaultBudget = 256 * mib

// Server serves Kafka's protocol on any number of listeners. Its fields are set
// before the first Serve and not changed; only Handler is required.
type Server struct {
	Handler  Handler
	Limits   Limits
	Budget   *Budget // nil: one of DefaultBudget
	Log      *slog.Logger
	Observer Observer
	// Supported tells whether a request may reach the Handler; it is asked only for
	// versions that the schemas know. nil: all of those. An ApiVersions request is
	// always handed on, so that the Handler can answer a version from the future by
	// UNSUPPORTED_VERSION.
	Supported func(key, version int16) bool
	// Preauth tells whether connections of a listener begin unauthenticated: until
	// Conn.Authenticate only ApiVersions and the SASL requests are read. nil: none.
	Preauth func(listener string) bool

	once    sync.Once
	limits  Limits
	log     *limitedLog
	reserve *Budget // for small frames while the Budget is held
	waiting *Budget // decoded requests until they were answered
	lastID  atomic.Uint64
	panics  atomic.Int64
	mu      sync.Mutex // guards the maps and total; held over nothing that waits
	conns   map[*Conn]struct{}
	byHost  map[string]int
	total   int
	vacancy chan struct{} // one token when a connection has ended
}

func (s *Server) init() {
	s.limits = s.Limits.withDefaults()
	if s.Budget == nil {
		s.Budget = NewBudget(DefaultBudget)
	}
	s.reserve = NewBudget(s.Budget.limit / 8)
	s.waiting = NewBudget(s.Budget.limit)
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	s.log = &limitedLog{log: s.Log}
	s.conns = map[*Conn]struct{}{}
	s.byHost = map[string]int{}
	s.vacancy = make(chan struct{}, 1)
}

// errShutdown is why connections end when Serve's context does.
var errShutdown = errors.New("the server is shutting down")

// Serve accepts connections until its context ends, then closes the listener and all
// connections and waits for their goroutines. It returns nil if the context has ended, or
// the listener's error.
func (s *Server) Serve(until context.Context, ln net.Listener, listener string) error {
	s.once.Do(s.init)
	// A context of its own, so that connections end with errShutdown as the cause.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(until))
	stop := context.AfterFunc(until, func() {
		cancel(errShutdown)
		ln.Close()
	})
	defer stop()
	defer ln.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(errShutdown)
	for {
		nc, err := s.accept(ctx, ln)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept on listener %s: %w", listener, err)
		}
		c := s.open(ctx, nc, listener)
		if c == nil {
			nc.Close()
			continue
		}
		wg.Go(func() {
			defer s.closed(c)
			c.run()
		})
	}
}

// accept waits for a vacancy and a connection. It rides out errors that pass, such
// as a lack of file descriptors.
func (s *Server) accept(ctx context.Context, ln net.Listener) (net.Conn, error) {
	pause := 5 * time.Millisecond
	for {
		if err := s.waitVacancy(ctx); err != nil {
			return nil, err
		}
		nc, err := ln.Accept()
		if err == nil || ctx.Err() != nil || errors.Is(err, net.ErrClosed) || !passes(err) {
			return nc, err
		}
		s.log.warn("accept failed", "error", err)
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, time.Second)
	}
}

// passes reports whether accept may succeed when it is tried again.
func passes(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func (s *Server) waitVacancy(ctx context.Context) error {
	for told := false; s.limits.MaxConns > 0; {
		s.mu.Lock()
		full := s.total >= s.limits.MaxConns
		s.mu.Unlock()
		if !full {
			return nil
		}
		if !told {
			told = true
			s.log.warn("as many connections as may be: none is accepted until one ends", "most", s.limits.MaxConns)
		}
		select {
		case <-s.vacancy:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// open registers a connection, or returns nil if its address has too many.
func (s *Server) open(ctx context.Context, nc net.Conn, listener string) *Conn {
	host := hostOf(nc.RemoteAddr())
	s.mu.Lock()
	if most := s.limits.perIP(host); most != 0 && s.byHost[host] >= most {
		s.mu.Unlock()
		s.log.warn("connection refused: too many of this address", "remote", nc.RemoteAddr(), "listener", listener)
		return nil
	}
	c := newConn(ctx, s, nc, listener, host)
	s.conns[c] = struct{}{}
	s.byHost[host]++
	s.total++
	s.mu.Unlock()
	if s.Observer != nil {
		s.Observer.ConnOpened(c)
	}
	return c
}

func (s *Server) closed(c *Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	if s.byHost[c.host]--; s.byHost[c.host] == 0 {
		delete(s.byHost, c.host)
	}
	s.total--
	s.mu.Unlock()
	select {
	case s.vacancy <- struct{}{}:
	default:
	}
	reason := context.Cause(c.ctx)
	s.logEnd(c, reason)
	if s.Observer != nil {
		s.Observer.ConnClosed(c, reason)
	}
}

// Conns is the number of open connections, Panics how many a panic has closed.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// Panics counts the panics of the Handler.
func (s *Server) Panics() int64 { return s.panics.Load() }

// supported reports whether a request may be decoded.
func (s *Server) supported(key, version int16) bool {
	schema, ok := Lookup(key)
	if !ok || !schema.Supports(version) {
		return false
	}
	return s.Supported == nil || s.Supported(key, version)
}

func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

// sleep waits for d, or returns why ctx has ended.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
