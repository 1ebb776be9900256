package world

import (
	"context"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ClientHost is where clients are that are nowhere else.
const ClientHost = "client"

// Pause has the machine's disk and lines stand still, as far as others see it as SIGSTOP has
// a process stand still; what it does with its own memory goes on.
func (n *Node) Pause(on bool) {
	if n.paused == on {
		return
	}
	n.paused = on
	n.Stall(on)
	n.w.net.Freeze(n.Host(), "", on)
	n.w.net.Freeze("", n.Host(), on)
}

// Isolate cuts a node off from all other nodes, or heals that; clients still reach it. With
// half only what it sends is lost.
func (n *Node) Isolate(on, half bool) {
	for _, host := range n.w.hosts(n) {
		n.w.net.Freeze(n.Host(), host, on)
		n.w.net.Freeze(host, n.Host(), on && !half)
	}
}

// hosts are those of all nodes but one.
func (w *World) hosts(but *Node) (hosts []string) {
	for _, n := range w.nodes {
		if n != but {
			hosts = append(hosts, n.Host())
		}
	}
	return hosts
}

// Cut has nothing arrive any more that one node sends to another, or to clients if it is nil,
// until it is let on.
func (w *World) Cut(from, to *Node, on bool) {
	w.net.Freeze(hostName(from), hostName(to), on)
}

// Delay has what one node sends to another, or clients if it is nil, come later by least and
// up to jitter more; with zeros it is as it was.
func (w *World) Delay(from, to *Node, least, jitter time.Duration) {
	switch {
	case least == 0 && jitter == 0 && from == nil:
		w.afar(ClientHost, to.Host())
	case least == 0 && jitter == 0:
		w.net.Delay(from.Host(), hostName(to), 0, 0, nil)
	default:
		w.net.Delay(hostName(from), hostName(to), least, jitter, w.draw())
	}
}

func hostName(n *Node) string {
	if n == nil {
		return ClientHost
	}
	return n.Host()
}

// mendLines lets on everything that was cut.
func (w *World) mendLines() {
	for _, a := range w.nodes {
		for _, b := range append(w.hosts(a), ClientHost) {
			w.net.Freeze(a.Host(), b, false)
			w.net.Freeze(b, a.Host(), false)
		}
	}
}

// Client is a client of the cluster. It is patient: a node that is cut off does not know new
// topics and is asked again. The caller closes it. Any goroutine may call it.
func (w *World) Client(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	var seeds []string
	for _, n := range w.Nodes() {
		if n.serves {
			seeds = append(seeds, n.Address())
		}
	}
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(seeds...), kgo.Dialer(w.Dial), kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.UnknownTopicRetries(-1),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
	}, opts...)...)
	if err != nil {
		panic("bug: a client's options: " + err.Error())
	}
	return c
}

// Dial is a client's way to the cluster. Any goroutine may call it.
func (w *World) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return w.dialFrom(ctx, ClientHost, network, address)
}

// DialFrom is the way of clients on a host of their own, which no fault knows.
func (w *World) DialFrom(host string) func(ctx context.Context, network, address string) (net.Conn, error) {
	for _, n := range w.Nodes() {
		w.afar(host, n.Host())
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return w.dialFrom(ctx, host, network, address)
	}
}

func (w *World) dialFrom(ctx context.Context, host, network, address string) (net.Conn, error) {
	select {
	case <-time.After(clientLag):
		return w.net.Host(host).Dial(ctx, network, address)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// A client's way takes so long, and what it sends up to so much more: one who tries again
// without a pause, on a line or on the next, does not stop the time.
const (
	clientLag    = 200 * time.Microsecond
	clientJitter = 100 * time.Microsecond
)

func (w *World) afar(host, node string) {
	w.net.Delay(host, node, clientLag, clientJitter, w.draw())
}
