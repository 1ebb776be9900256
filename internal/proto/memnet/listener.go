package memnet

import (
	"net"
	"sync"
)

type listener struct {
	net   *Network
	addr  Addr
	queue chan *conn
	once  sync.Once
	done  chan struct{}
}

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, opError("accept", string(l.addr), net.ErrClosed)
	default:
	}
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, opError("accept", string(l.addr), net.ErrClosed)
	}
}

// Close frees the address and resets connections that nobody has accepted.
func (l *listener) Close() error {
	err := opError("close", string(l.addr), net.ErrClosed)
	l.once.Do(func() {
		err = nil
		l.net.mu.Lock()
		delete(l.net.listeners, string(l.addr))
		l.net.mu.Unlock()
		close(l.done)
		l.flush()
	})
	return err
}

func (l *listener) flush() {
	for {
		select {
		case c := <-l.queue:
			c.Reset()
		default:
			return
		}
	}
}
