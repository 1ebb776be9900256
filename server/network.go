package server

import (
	"context"
	"net"

	"github.com/odradek/odradek/internal/proto/memnet"
)

// Network is a network in memory, with the manners of TCP. Nodes listen on it by
// Config.Listen, clients dial it: a whole system then lives in one process, also inside a
// testing/synctest bubble, which a real socket would stop.
type Network struct{ net *memnet.Network }

// NewNetwork returns an empty network. Make it inside the bubble that uses it.
func NewNetwork() *Network { return &Network{memnet.New(0)} }

// Listen opens host:port; any host will do. Port 0 takes a free one.
func (n *Network) Listen(_ context.Context, address string) (net.Listener, error) {
	return n.net.Listen("tcp", address)
}

// Dial connects to a listener; franz-go takes it as kgo.Dialer(n.Dial).
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return n.net.Dial(ctx, network, address)
}
