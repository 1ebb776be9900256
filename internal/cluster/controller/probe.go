package controller

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// Dial opens a connection, as net.Dialer's DialContext does.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// ProbeBy returns a probe for Options that connects and hangs up.
func ProbeBy(dial Dial) func(ctx context.Context, address string) error {
	return func(ctx context.Context, address string) error {
		conn, err := dial(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// Refused reports whether a connection failed because nobody listens at its address: the
// machine lives and says so. Whatever else may have happened tells nothing.
func Refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

func verdictOf(err error) verdict {
	switch {
	case err == nil:
		return accepted
	case Refused(err):
		return refused
	}
	return unanswered
}

// address is where a broker is probed: the first endpoint of the listener, or of any if
// it has none.
func address(b *metadata.Broker, listener string) string {
	e, ok := b.Endpoint(listener)
	if !ok {
		if len(b.Endpoints) == 0 {
			return ""
		}
		e = b.Endpoints[0]
	}
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}
