package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"strconv"
	"sync"
)

// Cluster is several nodes in this process, each broker and voter.
type Cluster struct{ nodes []*Server }

// StartCluster starts n nodes with ids 1 to n, made as cfg says: Dir, if it is set, gets a
// folder for each; Address and NodeID are not used. It returns when all serve. Topics have
// three replicas, or n if that is less, unless Properties say otherwise. The nodes stop
// when ctx ends, or by Close. On a Network, Dial must be set, too.
//
// It is for tests of programs that must bear the loss of a broker: Node(i).Close is that.
func StartCluster(ctx context.Context, n int, cfg Config) (*Cluster, error) {
	if n < 1 {
		return nil, fmt.Errorf("start a cluster: of %d nodes", n)
	}
	cfg.defaults()
	lns := make([]net.Listener, n)
	voters := make(map[int32]string, n)
	for i := range lns {
		ln, err := cfg.Listen(ctx, "127.0.0.1:0")
		if err != nil {
			for _, ln := range lns[:i] {
				ln.Close()
			}
			return nil, fmt.Errorf("start a cluster: %w", err)
		}
		lns[i], voters[int32(i+1)] = ln, ln.Addr().String()
	}
	c := &Cluster{nodes: make([]*Server, n)}
	errs := make([]error, n)
	var starting sync.WaitGroup
	for i := range n {
		node := cfg
		node.NodeID, node.Address, node.voters = int32(i+1), "", voters
		if n > 1 {
			node.controllers = lns[i]
		}
		if cfg.Dir != "" {
			node.Dir = filepath.Join(cfg.Dir, "node-"+strconv.Itoa(i+1))
		}
		node.Properties = maps.Clone(cfg.Properties)
		if node.Properties == nil {
			node.Properties = map[string]string{}
		}
		for _, key := range []string{"default.replication.factor", "offsets.topic.replication.factor"} {
			if _, set := node.Properties[key]; !set {
				node.Properties[key] = strconv.Itoa(min(n, 3))
			}
		}
		starting.Go(func() { c.nodes[i], errs[i] = Start(ctx, node) })
	}
	starting.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Addrs are the addresses that clients connect to: the bootstrap servers.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, s := range c.nodes {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Node is the node with id i+1.
func (c *Cluster) Node(i int) *Server { return c.nodes[i] }

// Close stops all nodes in order and returns what went wrong with them.
func (c *Cluster) Close() error {
	errs := make([]error, len(c.nodes))
	var stopping sync.WaitGroup
	for i, s := range c.nodes {
		if s != nil {
			stopping.Go(func() { errs[i] = s.Close() })
		}
	}
	stopping.Wait()
	return errors.Join(errs...)
}
