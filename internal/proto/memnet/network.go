// Package memnet is a network in memory: listeners, dialers and connections that
// behave like TCP's. It knows order, windows, deadlines, half-closed and reset
// connections; it does not know what is sent. It owns no goroutines, and works in a
// testing/synctest bubble if it was made there.
package memnet

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
)

const (
	backlog       = 128
	defaultWindow = 64 << 10
	firstPort     = 40000
)

// Network is a world of hosts. The zero value is not usable; see New.
type Network struct {
	window int

	mu        sync.Mutex // guards all below; taken before a pipe's; held over no wait
	listeners map[string]*listener
	conns     map[*conn]struct{}
	port      int
	dialed    func(from, to string) error
	frozen    map[way]bool
	thawed    chan struct{} // closed when frozen changes, and made anew
	lags      map[way]*lag
	chops     map[way]*chop
}

// New makes a network without hosts. A connection holds up to window bytes in each
// direction before its writer must wait; 0 means 64 KiB.
func New(window int) *Network {
	if window == 0 {
		window = defaultWindow
	}
	return &Network{
		window: window, port: firstPort,
		listeners: map[string]*listener{}, conns: map[*conn]struct{}{},
		frozen: map[way]bool{}, thawed: make(chan struct{}), lags: map[way]*lag{}, chops: map[way]*chop{},
	}
}

// OnDial makes f decide about every new connection; an error of it is Dial's. Both
// are host names with ports.
func (n *Network) OnDial(f func(from, to string) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialed = f
}

// Listen listens on an address, host:port. Port 0 is a free one. A host of "",
// 0.0.0.0 or :: listens on all hosts. The network name is not looked at.
func (n *Network) Listen(_, addr string) (net.Listener, error) {
	host, port, err := split(addr)
	if err != nil {
		return nil, opError("listen", addr, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if port == "0" {
		port = strconv.Itoa(n.freePort())
	}
	key := net.JoinHostPort(host, port)
	if n.listeners[key] != nil {
		return nil, opError("listen", addr, syscall.EADDRINUSE)
	}
	l := &listener{net: n, addr: Addr(key), queue: make(chan *conn, backlog), done: make(chan struct{})}
	n.listeners[key] = l
	return l, nil
}

func (n *Network) freePort() int {
	n.port++
	return n.port
}

// split canonizes an address.
func split(addr string) (host, port string, err error) {
	if host, port, err = net.SplitHostPort(addr); err != nil {
		return "", "", err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", "", fmt.Errorf("port %q: %w", port, err)
	}
	switch host {
	case "", "0.0.0.0", "::":
		host = "0.0.0.0"
	case "localhost", "::1":
		host = "127.0.0.1"
	}
	return host, port, nil
}

// Dial connects from 127.0.0.1. It has the signature of net.Dialer.DialContext.
func (n *Network) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return n.Host("127.0.0.1").Dial(ctx, network, addr)
}

// Host is a place to dial from.
func (n *Network) Host(name string) Host { return Host{n, name} }

// Host is a named machine of a Network.
type Host struct {
	net  *Network
	name string
}

// Dial connects to addr. Nobody listening is ECONNREFUSED; a full backlog waits.
func (h Host) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	host, port, err := split(addr)
	if err != nil {
		return nil, opError("dial", addr, err)
	}
	if err := h.net.awaitWay(ctx, h.name, host); err != nil {
		return nil, opError("dial", addr, err)
	}
	l, local, err := h.net.route(h.name, host, port)
	if err != nil {
		return nil, opError("dial", addr, err)
	}
	near, far := h.net.pair(Addr(local), Addr(net.JoinHostPort(host, port)))
	select {
	case l.queue <- far:
	case <-l.done:
		near.Reset()
		return nil, opError("dial", addr, syscall.ECONNREFUSED)
	case <-ctx.Done():
		near.Reset()
		return nil, opError("dial", addr, ctx.Err())
	}
	select {
	case <-l.done: // closed meanwhile: it may not have seen far in its queue
		l.flush()
	default:
	}
	return near, nil
}

func (n *Network) route(from, host, port string) (*listener, string, error) {
	n.mu.Lock()
	l := n.listeners[net.JoinHostPort(host, port)]
	if l == nil {
		l = n.listeners[net.JoinHostPort("0.0.0.0", port)]
	}
	local := net.JoinHostPort(from, strconv.Itoa(n.freePort()))
	dialed := n.dialed
	n.mu.Unlock()
	if dialed != nil {
		if err := dialed(local, net.JoinHostPort(host, port)); err != nil {
			return nil, "", err
		}
	}
	if l == nil {
		return nil, "", syscall.ECONNREFUSED
	}
	return l, local, nil
}

// pair makes the two ends of a connection.
func (n *Network) pair(local, remote Addr) (near, far *conn) {
	out, in := newPipe(n.window), newPipe(n.window)
	near = newConn(n, local, remote, in, out)
	far = newConn(n, remote, local, out, in)
	near.dialed = true
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns[near], n.conns[far] = struct{}{}, struct{}{}
	n.tune(near)
	return near, far
}

func (n *Network) forget(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// Kill resets every connection from or to a host and drops the bytes in flight, as
// the death of the machine does. Its listeners close.
func (n *Network) Kill(host string) {
	n.mu.Lock()
	var dead []*conn
	for c := range n.conns {
		if c.local.host() == host || c.remote.host() == host {
			dead = append(dead, c)
		}
	}
	var closing []*listener
	for _, l := range n.listeners {
		if l.addr.host() == host {
			closing = append(closing, l)
		}
	}
	n.mu.Unlock()
	for _, l := range closing {
		l.Close()
	}
	for _, c := range dead {
		c.Reset()
	}
}

// Addr is host:port.
type Addr string

// Network is "tcp", for the sake of those who ask.
func (Addr) Network() string  { return "tcp" }
func (a Addr) String() string { return string(a) }

func (a Addr) host() string {
	host, _, err := net.SplitHostPort(string(a))
	if err != nil {
		panic("bug: memnet: address without port: " + string(a))
	}
	return host
}

func opError(op, addr string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: Addr(addr), Err: err}
}
