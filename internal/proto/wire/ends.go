package wire

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"
)

// Reasons for which a connection ends that are nobody's fault.
var (
	errClientGone = errors.New("the client has closed the connection")
	errIdle       = errors.New("the connection was idle for too long")
)

// errProtocol is matched by what a client did wrong.
var errProtocol = errors.New("protocol violation")

func violation(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errProtocol}, args...)...)
}

// panicked is a Handler's panic.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// logEnd writes the one line about why a connection has ended.
func (s *Server) logEnd(c *Conn, reason error) {
	var p *panicked
	attrs := []any{"remote", c.RemoteAddr(), "listener", c.listener, "conn", c.id, "reason", reason}
	switch {
	case errors.As(reason, &p):
		s.Log.Error("connection closed: its handler has panicked", append(attrs, "stack", string(p.stack))...)
	case reason == errShutdown || reason == errIdle || gone(reason):
		s.Log.Debug("connection closed", attrs...)
	default:
		s.log.warn("connection closed", attrs...)
	}
}

// gone reports whether err says no more than that the other side has left.
func gone(err error) bool {
	return errors.Is(err, errClientGone) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// limitedLog writes at most ten warnings a second, and tells how many it kept back.
type limitedLog struct {
	log *slog.Logger

	mu         sync.Mutex // guards all below
	second     time.Time
	lines      int
	suppressed int
}

const maxLinesPerSecond = 10

func (l *limitedLog) warn(msg string, attrs ...any) {
	if n, ok := l.admit(time.Now()); ok {
		if n > 0 {
			attrs = append(attrs, "suppressed", n)
		}
		l.log.Warn(msg, attrs...)
	}
}

// admit decides about a line at now, and how many were suppressed before it.
func (l *limitedLog) admit(now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.second) >= time.Second {
		l.second, l.lines = now, 0
	}
	if l.lines >= maxLinesPerSecond {
		l.suppressed++
		return 0, false
	}
	l.lines++
	suppressed, l.suppressed = l.suppressed, 0
	return suppressed, true
}
