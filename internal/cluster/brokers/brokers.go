// Package brokers is how one broker asks another: by Kafka's own requests on the
// inter-broker listener, over connections that are kept. Coordinators need it that are
// leaders of a partition here and must reach a partition, or a coordinator, there. What a
// request means it does not know, and it tries nothing again: whoever asks knows whether
// that is safe.
//
// Its goroutines are the readers of its connections (wire.Client), which Close ends.
package brokers

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Ask has the broker node answer a request, in the newest version that both speak. An
// error says that there is no answer, not that nothing was done: it wraps
// kerr.BrokerNotAvailable if the cluster knows of no such broker that lives, and otherwise
// is the line's.
type Ask = func(ctx context.Context, node int32, req kmsg.Request) (kmsg.Response, error)

// Config is what Brokers are made of.
type Config struct {
	Node  int32
	Image func() *metadata.Image
	// Listener is the inter-broker listener.
	Listener string
	Dial     wire.Dialer
	// Local answers what this node asks itself, without a line.
	Local func(ctx context.Context, req kmsg.Request) (kmsg.Response, error)
	// Timeout is for how long a broker may be silent that owes an answer: 30 s.
	Timeout time.Duration
	Log     *slog.Logger
}

// Brokers keeps the connections. Safe for concurrent use.
type Brokers struct {
	cfg Config

	mu     sync.Mutex // guards what follows, for moments only
	lines  map[lane]*line
	closed bool
}

// lane is what shares a connection: requests of one kind to one broker. Answers come in
// the order of requests, so one that waits would hold up those of another kind.
type lane struct {
	node int32
	key  int16
}

// line is the connection of a lane. opening is held while it is looked at and made; it is
// written under mu too, for Close.
type line struct {
	opening gate.Gate
	address string
	client  *wire.Client
}

// New returns Brokers without connections.
func New(cfg Config) *Brokers {
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Brokers{cfg: cfg, lines: map[lane]*line{}}
}

// Ask is an Ask.
func (b *Brokers) Ask(ctx context.Context, node int32, req kmsg.Request) (kmsg.Response, error) {
	if node == b.cfg.Node {
		return b.cfg.Local(ctx, req)
	}
	address, ok := b.address(node)
	if !ok {
		return nil, fmt.Errorf("ask broker %d: %w", node, kerr.BrokerNotAvailable)
	}
	c, err := b.connection(ctx, lane{node, req.Key()}, address)
	if err != nil {
		return nil, fmt.Errorf("ask broker %d: %w", node, err)
	}
	resp, err := c.Do(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("ask broker %d: %w", node, err)
	}
	return resp, nil
}

// address is where a broker that lives is reached.
func (b *Brokers) address(node int32) (string, bool) {
	broker, ok := b.cfg.Image().Broker(node)
	if !ok || broker.Fenced {
		return "", false
	}
	e, ok := broker.Endpoint(b.cfg.Listener)
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))), ok
}

// connection returns the lane's connection, made anew if it has ended or the broker has
// moved.
func (b *Brokers) connection(ctx context.Context, at lane, address string) (*wire.Client, error) {
	l, err := b.line(at)
	if err != nil {
		return nil, err
	}
	select {
	case l.opening <- struct{}{}:
		defer l.opening.Unlock()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if l.client != nil && l.address == address && l.client.Err() == nil {
		return l.client, nil
	}
	if l.client != nil {
		l.client.Close()
	}
	c, err := wire.Dial(ctx, wire.ClientConfig{
		Dial: b.cfg.Dial, Address: address, ClientID: "broker-" + strconv.Itoa(int(b.cfg.Node)),
		Timeout: b.cfg.Timeout, Log: b.cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	if !b.keep(l, address, c) {
		c.Close()
		return nil, net.ErrClosed
	}
	return c, nil
}

// keep makes c the connection of a line, unless all have been closed.
func (b *Brokers) keep(l *line, address string, c *wire.Client) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		l.address, l.client = address, c
	}
	return !b.closed
}

func (b *Brokers) line(at lane) (*line, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, net.ErrClosed
	}
	l := b.lines[at]
	if l == nil {
		l = &line{opening: gate.New()}
		b.lines[at] = l
	}
	return l, nil
}

// Close ends all connections: who waits for an answer is told net.ErrClosed.
func (b *Brokers) Close() {
	b.mu.Lock()
	b.closed = true
	var open []*wire.Client
	for _, l := range b.lines {
		if l.client != nil {
			open = append(open, l.client)
		}
	}
	b.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}
