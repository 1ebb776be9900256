package wire

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/base/pool"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Dialer connects to an address; net.Dialer's DialContext is one.
type Dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// ClientConfig is what a Client is made of. Dial and Address are required.
type ClientConfig struct {
	Dial     Dialer
	Address  string // host:port
	ClientID string
	// Software is what ApiVersions is told of the client (KIP-511).
	Software ClientSoftware
	// Timeout is for how long an answer may be silent, beyond what its request told
	// the server to wait, before the connection is given up: 30 s, request.timeout.ms.
	Timeout time.Duration
	// MaxResponse is the longest answer in bytes: 256 MiB.
	MaxResponse int
	Log         *slog.Logger
}

func (c *ClientConfig) setDefaults() {
	orDefault(&c.Timeout, 30*time.Second)
	orDefault(&c.MaxResponse, 256*mib)
	if c.Software == (ClientSoftware{}) {
		c.Software = ClientSoftware{Name: "odradek", Version: "0"}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Client is one connection to a broker, for brokers. Requests of many goroutines share
// it: they are sent one behind the other without waiting for answers, which come in the
// same order. Once it has failed it stays so: see Done.
//
// It owns one goroutine, the reader, which Close ends. Safe for concurrent use.
type Client struct {
	cfg      ClientConfig
	nc       net.Conn
	versions [MaxKey + 1]versions // that both sides speak; none where from > to

	// sending is held while a request is written, so that requests are sent in the
	// order in which they queue. Taken before mu.
	sending gate.Gate
	out     []byte // the request that is being written; guarded by sending

	largest int // the reader's largest answer so far

	mu     sync.Mutex // guards what follows, for moments only
	queue  []*call    // sent and not answered, in order
	nextID int32
	failed error
	done   chan struct{} // closed when failed is set
	ended  chan struct{} // closed when the reader has ended
}

// call is a request that waits for its answer.
type call struct {
	id       int32
	flexible bool          // the header of the answer has tagged fields
	patience time.Duration // for the answer
	over     time.Time     // when patience ends
	answer   chan answered // of capacity 1: the reader does not wait
}

// answered is the body of an answer, in a buffer that the caller must release.
type answered struct {
	buf  *pool.Buf
	body []byte
}

// Dial connects and asks which versions the broker speaks. ctx bounds both, not the life
// of the Client. Close must follow.
func Dial(ctx context.Context, cfg ClientConfig) (*Client, error) {
	cfg.setDefaults()
	nc, err := cfg.Dial(ctx, "tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", cfg.Address, err)
	}
	c := &Client{
		cfg: cfg, nc: nc, sending: gate.New(),
		done: make(chan struct{}), ended: make(chan struct{}),
	}
	go c.read()
	if err := c.negotiate(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("ask %s for its versions: %w", cfg.Address, err)
	}
	return c, nil
}

// Do sends a request in the newest version that both sides speak, and returns the answer,
// whatever error codes it holds. When ctx ends the answer is not waited for any more, and
// the connection goes on.
// It returns an error that wraps kerr.UnsupportedVersion if there is none, or why the
// connection has ended.
func (c *Client) Do(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	version, ok := c.Version(req.Key(), 0, req.MaxVersion())
	if !ok {
		return nil, fmt.Errorf("%s of %s: %w", kmsg.NameForKey(req.Key()), c.cfg.Address, kerr.UnsupportedVersion)
	}
	req.SetVersion(version)
	return c.do(ctx, req)
}

func (c *Client) do(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	var wait time.Duration
	if t, ok := req.(kmsg.TimeoutRequest); ok {
		wait = time.Duration(t.Timeout()) * time.Millisecond
	}
	a, err := c.exchange(ctx, req.Key(), req.GetVersion(), req.IsFlexible(), wait, req.AppendTo)
	if err != nil {
		return nil, err
	}
	defer a.buf.Release()
	resp := req.ResponseKind()
	if err = CheckAnswer(req.Key(), req.GetVersion(), a.body); err == nil {
		// Byte slices of the answer alias what it is read from.
		err = resp.ReadFrom(append([]byte(nil), a.body...))
	}
	if err != nil {
		err = fmt.Errorf("answer to %s v%d: %w", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
		c.fail(err)
		return nil, err
	}
	return resp, nil
}

// Version is the newest version of a request in [least, most] that the broker speaks.
func (c *Client) Version(key, least, most int16) (version int16, ok bool) {
	if key < 0 || key > MaxKey {
		return 0, false
	}
	v := c.versions[key]
	version = min(most, v.to)
	return version, v.from <= v.to && version >= max(least, v.from)
}

// exchange sends what body appends, and waits for the answer.
func (c *Client) exchange(ctx context.Context, key, version int16, flexible bool, wait time.Duration, body func([]byte) []byte) (answered, error) {
	cl := &call{
		flexible: flexible && key != keyAPIVersions,
		patience: c.cfg.Timeout + wait, answer: make(chan answered, 1),
	}
	if err := c.send(ctx, cl, key, version, flexible, body); err != nil {
		return answered{}, err
	}
	select {
	case a := <-cl.answer:
		return a, nil
	case <-ctx.Done():
	case <-c.done:
	}
	return c.leave(ctx, cl)
}

// leave ends the wait for an answer that may have come at the last moment.
func (c *Client) leave(ctx context.Context, cl *call) (answered, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case a := <-cl.answer:
		return a, nil
	default:
	}
	cl.answer = nil // the reader drops what comes
	if c.failed != nil {
		return answered{}, c.failed
	}
	return answered{}, context.Cause(ctx)
}

func (c *Client) send(ctx context.Context, cl *call, key, version int16, flexible bool, body func([]byte) []byte) error {
	select {
	case c.sending <- struct{}{}:
		defer c.sending.Unlock()
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.done:
		return c.Err()
	}
	if err := c.enqueue(cl); err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint16(append(c.out[:0], 0, 0, 0, 0), uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(cl.id))
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.cfg.ClientID)))
	b = append(b, c.cfg.ClientID...)
	if flexible {
		b = append(b, 0) // no tagged fields
	}
	b = body(b)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	if c.out = b; cap(b) > mib {
		c.out = nil
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.cfg.Timeout)); err != nil {
		c.fail(err)
		return c.Err()
	}
	if _, err := c.nc.Write(b); err != nil {
		c.fail(err)
		return c.Err()
	}
	return nil
}

func (c *Client) enqueue(cl *call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return c.failed
	}
	cl.id = c.nextID
	c.nextID++
	cl.over = time.Now().Add(cl.patience)
	if c.queue = append(c.queue, cl); len(c.queue) == 1 {
		c.arm()
	}
	return nil
}

// arm has the reader give up when the answer that is next does not come. mu is held.
func (c *Client) arm() {
	var until time.Time
	if len(c.queue) > 0 {
		until = c.queue[0].over
	}
	_ = c.nc.SetReadDeadline(until) // it fails if the connection has, which the reader sees
}

// fail ends the connection; the first reason counts.
func (c *Client) fail(err error) {
	c.mu.Lock()
	first := c.failed == nil
	if first {
		c.failed = fmt.Errorf("connection to %s: %w", c.cfg.Address, err)
		close(c.done)
	}
	c.mu.Unlock()
	if first {
		c.nc.Close()
	}
}

// Done is closed when the connection has ended; Err tells why then.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the connection has ended, nil while it lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// Close ends the connection: who waits for an answer is told net.ErrClosed. It returns
// when the reader has ended.
func (c *Client) Close() {
	c.fail(net.ErrClosed)
	<-c.ended
}
