package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Config is what a Link is made of. The functions are called from many goroutines.
type Config struct {
	// Self is what this node says of itself at the beginning of every line.
	Self func() Hello
	// Dial connects to an address. Without it nothing is dialed.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Check refuses a node. The text of the error reaches it, so it says how to put things
	// right. Default: everyone is welcome.
	Check func(remote Hello) error
	// Receive takes a message and must not wait. Messages of one node and kind come in the
	// order in which they were sent. Default: they are dropped.
	Receive func(from Hello, kind uint8, payload []byte)
	// Handle answers a call, each on a goroutine of its own. The context ends when the
	// caller has given up or its line is lost. An error keeps its code of package kerr and
	// its text; the payload that it returns must not be changed afterwards.
	Handle func(ctx context.Context, from Hello, kind uint8, payload []byte) ([]byte, error)
	// Gone is told that a process has died: a line to it was up and has ended, and then
	// its address refused to be dialed or another incarnation answered. Silence is not
	// death. It is told once of each line and must not wait.
	Gone func(node int32)
	// Lost is told that a line has ended that a node had dialed, which is a hint that the
	// node may be dead. It must not wait.
	Lost func(remote Hello)
	// Refused is told that a node will not speak to this one, and why. It must not wait.
	Refused func(node int32, err error)

	MaxPayload int           // bytes of a message, a call or an answer; default 256 MiB
	MaxQueue   int           // bytes of messages that wait for a line; default 32 MiB
	Quiet      time.Duration // without a byte: ping; default 1 s
	Patience   time.Duration // for a pong and for a hello; default 5 s
	DialFor    time.Duration // an attempt to connect; default 1 s
	Log        *slog.Logger  // default: discards
}

func (c *Config) validate() error {
	if c.Self == nil {
		return errors.New("link: Self is not set")
	}
	if c.Dial == nil {
		c.Dial = func(_ context.Context, address string) (net.Conn, error) {
			return nil, fmt.Errorf("dial %s: this node dials nobody", address)
		}
	}
	if c.Check == nil {
		c.Check = func(Hello) error { return nil }
	}
	if c.Receive == nil {
		c.Receive = func(Hello, uint8, []byte) {}
	}
	if c.Handle == nil {
		c.Handle = func(context.Context, Hello, uint8, []byte) ([]byte, error) {
			return nil, errors.New("this node answers no calls")
		}
	}
	if c.Gone == nil {
		c.Gone = func(int32) {}
	}
	if c.Lost == nil {
		c.Lost = func(Hello) {}
	}
	if c.Refused == nil {
		c.Refused = func(int32, error) {}
	}
	c.MaxPayload = cmp.Or(c.MaxPayload, 256<<20)
	c.MaxQueue = cmp.Or(c.MaxQueue, 32<<20)
	c.Quiet = cmp.Or(c.Quiet, time.Second)
	c.Patience = cmp.Or(c.Patience, 5*time.Second)
	c.DialFor = cmp.Or(c.DialFor, time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}
