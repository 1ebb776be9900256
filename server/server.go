// Package server runs an Odradek node inside a Go program or a test: on disk or in
// memory, on a free port, ready in milliseconds.
//
//	s, err := server.Start(ctx, server.Config{})
//	...
//	defer s.Close()
//	client, err := kgo.NewClient(kgo.SeedBrokers(s.Addr()))
//
// Everything that the node takes from the world can be replaced in Config, so that it
// also runs inside a testing/synctest bubble, on a network in memory.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/broker"
	"github.com/odradek/odradek/internal/cluster/config"
)

// Config is how the node is made. The zero Config is a node in memory on a free port of
// the loopback.
type Config struct {
	// Dir is where data is kept; "" keeps it in memory, and it ends with the node.
	Dir string
	// Address is where clients connect, host:port; default "127.0.0.1:0", a free port.
	Address string
	// NodeID is the broker's id; default 1.
	NodeID int32
	// Properties are settings by Kafka's names, such as "num.partitions". Listeners and
	// folders are set by the fields above. An unknown or wrong one is an error.
	Properties map[string]string
	// Log gets the node's log; default: discarded.
	Log *slog.Logger
	// Listen opens Address; default: TCP.
	Listen func(ctx context.Context, address string) (net.Listener, error)
	// Dial reaches the other nodes of a cluster; default: TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Random fills its argument with random bytes; default: crypto/rand. It must be safe
	// for concurrent use.
	Random func([]byte)

	voters      map[int32]string // of a cluster
	controllers net.Listener     // for its other nodes
}

func (c *Config) defaults() {
	if c.Listen == nil {
		c.Listen = func(ctx context.Context, address string) (net.Listener, error) {
			return new(net.ListenConfig).Listen(ctx, "tcp", address)
		}
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.Random == nil {
		c.Random = func(p []byte) { rand.Read(p) }
	}
}

// Server is a running node.
type Server struct {
	addr string
	stop context.CancelFunc
	done chan struct{}
	err  error
}

const (
	listenerName   = "PLAINTEXT"
	controllerName = "CONTROLLER"
)

// Start starts a node and returns when it serves clients. The node stops when ctx ends,
// or by Close.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	bc, err := cfg.broker()
	if err != nil {
		return nil, err
	}
	b, err := broker.New(bc)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	s := &Server{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = b.Run(ctx)
	}()
	select {
	case <-b.Ready():
		s.addr = b.Addr(listenerName).String()
		return s, nil
	case <-s.done:
		stop()
		if s.err == nil {
			s.err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("start a node: %w", s.err)
	}
}

// Addr is the address that clients connect to: the bootstrap server.
func (s *Server) Addr() string { return s.addr }

// Close stops the node in order, waits until it has stopped, and returns what went wrong
// with it, if anything did. It may be called more than once.
func (s *Server) Close() error {
	s.stop()
	<-s.done
	return s.err
}

// Done is closed when the node has stopped.
func (s *Server) Done() <-chan struct{} { return s.done }

func (c Config) broker() (broker.Config, error) {
	c.defaults()
	static, err := c.static()
	if err != nil {
		return broker.Config{}, err
	}
	b := broker.Config{
		NodeID: c.NodeID, LogDirs: []string{c.Dir}, FS: vfs.OS, Static: static,
		Listeners: []broker.Listener{{Name: listenerName, Bind: c.Address}},
		Listen:    c.Listen, Dial: c.Dial, Random: c.Random, Log: c.Log,
		ClusterID: static["odradek.cluster.id"], Voters: c.voters,
	}
	if b.NodeID == 0 {
		b.NodeID = 1
	}
	if c.Dir == "" {
		b.LogDirs, b.FS = []string{"/odradek"}, vfs.NewMem()
	}
	if c.Address == "" {
		b.Listeners[0].Bind = "127.0.0.1:0"
	}
	if c.controllers != nil {
		at := c.controllers.Addr().String()
		b.Controllers = []broker.Listener{{Name: controllerName, Bind: at}}
		b.Listen = func(ctx context.Context, address string) (net.Listener, error) {
			if address == at {
				return c.controllers, nil
			}
			return c.Listen(ctx, address)
		}
	}
	return b, nil
}

// static checks the properties.
func (c Config) static() (map[string]string, error) {
	layer := make([]config.Setting, 0, len(c.Properties))
	for k, v := range c.Properties {
		layer = append(layer, config.Setting{Name: k, Value: v})
	}
	s := config.Merge(layer)
	_, report := s.Resolve()
	if err := report.Err(); err != nil {
		return nil, err
	}
	var unknown []error
	for _, w := range report.Warnings {
		unknown = append(unknown, w)
	}
	for _, key := range []string{"listeners", "advertised.listeners", "log.dirs", "log.dir", "node.id", "broker.id"} {
		if _, set := c.Properties[key]; set {
			unknown = append(unknown, fmt.Errorf("%s is not a property here: Config has a field for it", key))
		}
	}
	if err := errors.Join(unknown...); err != nil {
		return nil, err
	}
	return s.Map(), nil
}
