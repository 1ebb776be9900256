package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Config says what cluster to start.
type Config struct {
	Program  Program
	Dir      string   // is made; each node has a folder in it
	Nodes    int      // default 3, all of them brokers and voters
	Settings []string // lines of server.properties; they win over the rig's
	Hosts    []string // one address a node; default 127.0.0.1
	Data     []string // one folder a node for what it keeps; default: one in its folder in Dir
	Exec     [][]string
	// Exec, if given, are the words before each node's command: ip netns exec …
	Owned   bool // whoever made it calls Close on ^C, and need not be helped
	Dynamic bool // the voters are in the metadata, not in the settings (KIP-853)

	MetadataApart bool // what a node knows of the cluster is in a folder beside Data

	Bare bool // nothing is set but what makes nodes a cluster, and nobody listens for proxies
}

// Cluster is nodes that know one another. Its methods may be called from one goroutine at
// a time; Close from any.
type Cluster struct {
	Config
	All []*Node

	starter *starter
	unhook  func()
	closing sync.Once
}

// bare makes a node part of a cluster.
var bare = []string{
	"process.roles=broker,controller",
	"controller.listener.names=CONTROLLER",
	"inter.broker.listener.name=PLAINTEXT",
	"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,FLAKY:PLAINTEXT,CONTROLLER:PLAINTEXT",
}

// settings are common to all programs that are tested.
var settings = []string{
	"auto.create.topics.enable=false",
	"default.replication.factor=3",
	"min.insync.replicas=2",
	"offsets.topic.replication.factor=3",
	"offsets.topic.num.partitions=6",
	"transaction.state.log.num.partitions=6",
	"transaction.state.log.replication.factor=3",
	"transaction.state.log.min.isr=2",
	"group.min.session.timeout.ms=1000",
}

// New makes the folders and the settings, and starts nothing.
func New(cfg Config) (*Cluster, error) {
	if cfg.Nodes == 0 {
		cfg.Nodes = 3
	}
	c := &Cluster{Config: cfg, starter: newStarter()}
	ports, err := freePorts(4 * cfg.Nodes)
	if err != nil {
		return nil, err
	}
	for i := range cfg.Nodes {
		host := "127.0.0.1"
		if cfg.Hosts != nil {
			host = cfg.Hosts[i]
		}
		at := func(k int) string { return net.JoinHostPort(host, strconv.Itoa(ports[4*i+k])) }
		dir := filepath.Join(cfg.Dir, "node-"+strconv.Itoa(i+1))
		c.All = append(c.All, &Node{
			ID: int32(i + 1), Dir: dir, Data: filepath.Join(dir, "data"), Output: filepath.Join(dir, "output.log"),
			Addr: at(0), Controller: at(1), Flaky: at(2), Proxy: at(3),
			program: cfg.Program, starter: c.starter,
		})
		if cfg.Exec != nil {
			c.All[i].exec = cfg.Exec[i]
		}
		if cfg.Data != nil {
			c.All[i].Data = cfg.Data[i]
		}
	}
	for _, n := range c.All {
		if err := c.write(n); err != nil {
			return nil, err
		}
	}
	if !c.Owned {
		c.unhook = OnInterrupt(c.Close)
	}
	return c, nil
}

// Start makes a cluster and waits until it works.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	c, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.Launch(); err != nil {
		c.Close()
		return nil, err
	}
	if err := c.Ready(ctx); err != nil {
		text := c.LastWords(30)
		c.Close()
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return c, nil
}

// write makes a node's folder and its server.properties.
func (c *Cluster) write(n *Node) error {
	lines := slices.Clone(bare)
	flaky, proxy := ",FLAKY://"+n.Flaky, ",FLAKY://"+n.Proxy
	if c.Bare {
		flaky, proxy = "", ""
	} else {
		lines = append(lines, settings...)
	}
	voters := make([]string, 0, len(c.All))
	addresses := make([]string, 0, len(c.All))
	for _, v := range c.All {
		voters = append(voters, fmt.Sprintf("%d@%s", v.ID, v.Controller))
		addresses = append(addresses, v.Controller)
	}
	if c.Dynamic {
		lines = append(lines, "controller.quorum.bootstrap.servers="+strings.Join(addresses, ","))
	} else {
		lines = append(lines, "controller.quorum.voters="+strings.Join(voters, ","))
	}
	lines = append(lines,
		fmt.Sprintf("node.id=%d", n.ID),
		fmt.Sprintf("listeners=PLAINTEXT://%s%s,CONTROLLER://%s", n.Addr, flaky, n.Controller),
		fmt.Sprintf("advertised.listeners=PLAINTEXT://%s%s%s", n.Addr, proxy, c.Program.advertised(n)),
		"log.dirs="+n.Data,
	)
	if c.MetadataApart {
		lines = append(lines, "metadata.log.dir="+filepath.Join(filepath.Dir(n.Data), "metadata"))
	}
	lines = append(append(lines, c.Program.settings...), c.Settings...)
	if err := os.MkdirAll(n.Dir, 0o755); err != nil {
		return err
	}
	n.Properties = filepath.Join(n.Dir, "server.properties")
	if err := os.WriteFile(n.Properties, []byte(strings.Join(lastOfEach(lines), "\n")+"\n"), 0o644); err != nil {
		return err
	}
	return c.Program.format(c, n)
}

// lastOfEach drops settings that a later line overrides.
func lastOfEach(lines []string) (kept []string) {
	at := make(map[string]int)
	for _, line := range lines {
		key, _, _ := strings.Cut(line, "=")
		if i, again := at[key]; again {
			kept[i] = line
			continue
		}
		at[key] = len(kept)
		kept = append(kept, line)
	}
	return kept
}

// Launch starts every node that does not run.
func (c *Cluster) Launch() error {
	for _, n := range c.All {
		if n.Running() {
			continue
		}
		if err := n.Launch(); err != nil {
			return err
		}
	}
	return nil
}

// Ready waits until every node that runs tells of all brokers.
func (c *Cluster) Ready(ctx context.Context) error {
	for _, n := range c.All {
		if !n.Running() {
			continue
		}
		if err := n.Await(ctx); err != nil {
			return err
		}
		if err := c.knows(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// knows waits until a node tells of as many brokers as run.
func (c *Cluster) knows(ctx context.Context, n *Node) error {
	l := n.Line()
	defer l.Close()
	for {
		brokers, _, err := l.Metadata(ctx)
		if err == nil && len(brokers) >= len(c.Running()) {
			return nil
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("node %d tells of the brokers %v, %d run (%w)", n.ID, brokers, len(c.Running()), errors.Join(err, ctx.Err()))
		}
	}
}

// Running are the nodes whose process is there, paused or not.
func (c *Cluster) Running() (nodes []*Node) {
	for _, n := range c.All {
		if n.Running() {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Node is the one with an id.
func (c *Cluster) Node(id int32) *Node {
	for _, n := range c.All {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// Addrs are the plain listeners of all nodes.
func (c *Cluster) Addrs() (addrs []string) {
	for _, n := range c.All {
		addrs = append(addrs, n.Addr)
	}
	return addrs
}

// Stop ends every node in good order, all at once.
func (c *Cluster) Stop(ctx context.Context) error {
	errs := make([]error, len(c.All))
	var wg sync.WaitGroup
	for i, n := range c.All {
		if n.Running() {
			wg.Go(func() { errs[i] = n.Stop(ctx) })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Close kills what still runs.
func (c *Cluster) Close() {
	c.closing.Do(func() {
		for _, n := range c.All {
			n.End()
		}
		c.starter.close()
		if c.unhook != nil {
			c.unhook()
		}
	})
}

// LastWords is the end of each node's log.
func (c *Cluster) LastWords(lines int) string {
	var b strings.Builder
	for _, n := range c.All {
		fmt.Fprintf(&b, "== node %d (%s)\n%s\n", n.ID, n.Output, n.LastWords(lines))
	}
	return b.String()
}

// OnInterrupt calls f on ^C and on SIGTERM, and then lets the signal have its way; it does
// not wait for ever. The unhook that it returns may be called by f.
func OnInterrupt(f func()) (unhook func()) {
	signals, gone := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			done := make(chan struct{})
			go func() { defer close(done); f() }()
			select {
			case <-done:
			case <-time.After(15 * time.Second):
			}
			signal.Stop(signals)
			if p, err := os.FindProcess(os.Getpid()); err == nil {
				_ = p.Signal(s)
			}
		case <-gone:
		}
	}()
	return sync.OnceFunc(func() { signal.Stop(signals); close(gone) })
}

// freePorts are ports that every life of a node can take. Those that systems give to
// clients are avoided: between two lives one of them could be taken.
func freePorts(n int) (ports []int, err error) {
	taken := make(map[int]bool)
	for range 100 * n {
		port := 20000 + rand.IntN(10000)
		if taken[port] {
			continue
		}
		ln, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		ln.Close()
		taken[port] = true
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports between 20000 and 30000", n)
}

// sleep waits, and tells whether ctx lives.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
