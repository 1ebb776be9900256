package host

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// cluster is a few hosts on a network, and the controller's decisions without a quorum.
type cluster struct {
	t     testing.TB
	net   *memnet.Network
	rng   *rand.Rand
	nodes map[int32]*node
	made  *partition.Settings
	dir   string
	// twoDirs gives each node that is made two log folders, /a and /b.
	twoDirs bool

	mu      sync.Mutex // guards truth
	truth   *metadata.Feed
	unclean bool // the controller lets any replica lead rather than none
	// mute has the controller not answer.
	mute bool
	asks int
	// late is how long the answer to a registration is on its way, after its word.
	late time.Duration
}

// node is one broker: a rig with peers.
type node struct {
	*rig
	id      int32
	cluster *cluster
	ends    func()
	fetches int // requests that it has answered as a leader
	mu      sync.Mutex
	config  func(*Config)
}

func newCluster(t testing.TB, nodes int32) *cluster { return newClusterOn(t, nodes, "") }

// newClusterOn puts the nodes' folders below dir on the real disk, unless it is "".
func newClusterOn(t testing.TB, nodes int32, dir string) *cluster {
	c := &cluster{
		t: t, net: memnet.New(4 << 20), rng: rand.New(rand.NewPCG(2, 2)),
		nodes: make(map[int32]*node), truth: metadata.NewFeed(), made: defaults(), dir: dir,
	}
	c.made.Log.SegmentBytes = 64 << 10
	for id := range nodes {
		c.add(id + 1)
	}
	return c
}

func (c *cluster) add(id int32) *node {
	r := &rig{
		t: nil, disk: vfs.NewMem(), rng: c.rng,
		dirs: []Dir{{Path: "/a", ID: model.ID{byte(id), 1}}}, epoch: -1,
	}
	if t, ok := c.t.(*testing.T); ok {
		r.t = t
	}
	if c.twoDirs {
		r.dirs = append(r.dirs, Dir{Path: "/b", ID: model.ID{byte(id), 2}})
	}
	if c.dir != "" {
		r.fs, r.dirs[0].Path = vfs.OS, filepath.Join(c.dir, fmt.Sprint(id))
		if err := vfs.MkdirAllDurable(r.fs, r.dirs[0].Path, 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, dir := range []string{"/a", "/b"} {
		if err := vfs.MkdirAllDurable(r.disk, dir, 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	n := &node{rig: r, id: id, cluster: c}
	c.nodes[id] = n
	n.up()
	return n
}

// up starts a node and registers it.
func (n *node) up() {
	c := n.cluster
	c.mu.Lock()
	n.epoch = -1 // a process knows no registration but its own
	n.feed = metadata.NewFeed()
	if err := n.feed.Restore(c.truth.Image().Encode()); err != nil {
		c.t.Fatal(err)
	}
	c.mu.Unlock()
	fs := n.fs
	if fs == nil {
		fs = n.disk
	}
	cfg := Config{
		NodeID: n.id, FS: fs, Dirs: n.dirs, Feed: n.feed,
		Settings:    func(*metadata.Image, string) *partition.Settings { return c.made },
		BrokerEpoch: func() int64 { c.mu.Lock(); defer c.mu.Unlock(); return n.epoch },
		Random:      n.random, JournalFileBytes: 256 << 10, JournalSmallBytes: 16 << 10, Log: c.logger(n.id),
		Replication: Replication{
			Dial: c.net.Host(n.name()).Dial, InterBroker: "IN", Ask: n.ask, LagMax: 10 * time.Second,
		},
	}
	if n.config != nil {
		n.config(&cfg)
	}
	host, err := Open(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	n.host = host
	ctx, stop := context.WithCancel(context.Background())
	n.stop, n.done = stop, make(chan error, 1)
	go func() { n.done <- host.Run(ctx) }()
	n.listen()
	n.register()
}

func (c *cluster) logger(id int32) *slog.Logger {
	t, ok := c.t.(*testing.T)
	if !ok || !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", id)
}

func (n *node) name() string { return fmt.Sprint("n", n.id) }

func (n *node) listen() {
	ln, err := n.cluster.net.Listen("tcp", n.name()+":9")
	if err != nil {
		n.cluster.t.Fatal(err)
	}
	srv := &wire.Server{Handler: &serving{node: n, sessions: make(map[int32]*serveSession)}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln, "IN") }()
	n.ends = func() {
		cancel()
		<-done
	}
}

// register has the controller know the node, and unfences it.
func (n *node) register() {
	c := n.cluster
	var epoch int64
	incarnation := model.ID{byte(n.id), byte(c.rng.Uint32()), byte(c.rng.Uint32()), 1}
	c.decide(func(s controller.State) []metadata.Record {
		e, recs, err := s.RegisterBroker(controller.Registration{
			ID: n.id, Incarnation: incarnation, Features: []metadata.FeatureRange{{Name: controller.FeatureMetadata, Max: 99}},
			Endpoints: []metadata.Endpoint{{Listener: "IN", Host: n.name(), Port: 9}},
			LogDirs:   n.host.DirIDs(), PreviousEpoch: n.host.CleanEpoch(),
		})
		if err != nil {
			c.t.Fatal(err)
		}
		epoch = e
		return recs
	})
	time.Sleep(c.late)
	c.mu.Lock()
	n.epoch = epoch
	c.mu.Unlock()
	c.decide(func(s controller.State) []metadata.Record {
		_, recs, err := s.Heartbeat(controller.Heartbeat{ID: n.id, Epoch: epoch, MetadataOffset: s.Image.Offset})
		if err != nil {
			c.t.Fatal(err)
		}
		return recs
	})
}

// decide makes a decision true, and tells every node that runs.
func (c *cluster) decide(do func(controller.State) []metadata.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.decideLocked(do)
}

func (c *cluster) decideLocked(do func(controller.State) []metadata.Record) {
	image := c.truth.Image()
	state := controller.NewState(image, controller.Rules{Unclean: func(*metadata.Image, string) bool { return c.unclean }}, c.rng, time.Now())
	recs := do(state)
	if len(recs) == 0 {
		return
	}
	entry := metadata.Encode(nil, recs)
	for _, feed := range c.feeds() {
		if err := feed.ApplyEntry(image.Offset+1, entry); err != nil {
			c.t.Error(err)
		}
	}
}

func (c *cluster) feeds() []*metadata.Feed {
	feeds := []*metadata.Feed{c.truth}
	for _, id := range slices.Sorted(maps.Keys(c.nodes)) {
		if n := c.nodes[id]; n.feed != nil {
			feeds = append(feeds, n.feed)
		}
	}
	return feeds
}

// asked is how often the controller was asked to change an in-sync set.
func (c *cluster) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asks
}

// ask is Replication.Ask.
func (n *node) ask(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	c := n.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, is := req.(*kmsg.AlterPartitionRequest); is {
		c.asks++
	}
	if c.mute {
		return nil, kerr.RequestTimedOut
	}
	switch req := req.(type) {
	case *kmsg.AlterPartitionRequest:
		return c.alterPartition(req), nil
	case *kmsg.AssignReplicasToDirsRequest:
		return c.assignDirs(req), nil
	}
	return nil, fmt.Errorf("%w: %T", kerr.UnsupportedVersion, req)
}

func (c *cluster) alterPartition(req *kmsg.AlterPartitionRequest) *kmsg.AlterPartitionResponse {
	ask := controller.AlterPartition{Broker: req.BrokerID, BrokerEpoch: req.BrokerEpoch}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			change := controller.ISRChange{Topic: t.TopicID, Partition: p.Partition, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch}
			for _, b := range p.NewEpochISR {
				change.ISR = append(change.ISR, controller.BrokerEpoch{ID: b.BrokerID, Epoch: b.BrokerEpoch})
			}
			ask.Partitions = append(ask.Partitions, change)
		}
	}
	resp := kmsg.NewPtrAlterPartitionResponse()
	c.decideLocked(func(s controller.State) []metadata.Record {
		results, recs, err := s.AlterPartition(ask)
		resp.ErrorCode = model.ErrorCode(err)
		for _, r := range results {
			p := kmsg.NewAlterPartitionResponseTopicPartition()
			p.Partition, p.ErrorCode = r.Partition, model.ErrorCode(r.Err)
			if r.Err == nil {
				p.LeaderID, p.LeaderEpoch, p.PartitionEpoch, p.ISR = r.State.Leader, r.State.LeaderEpoch, r.State.PartitionEpoch, r.State.ISR
			}
			resp.Topics = append(resp.Topics, kmsg.AlterPartitionResponseTopic{TopidID: r.Topic, Partitions: []kmsg.AlterPartitionResponseTopicPartition{p}})
		}
		return recs
	})
	return resp
}

func (c *cluster) assignDirs(req *kmsg.AssignReplicasToDirsRequest) *kmsg.AssignReplicasToDirsResponse {
	ask := controller.AssignDirs{Broker: req.BrokerID, BrokerEpoch: req.BrokerEpoch}
	for _, d := range req.Directories {
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				ask.Replicas = append(ask.Replicas, controller.DirReplica{Topic: t.TopicID, Partition: p.Partition, Dir: d.ID})
			}
		}
	}
	resp := kmsg.NewPtrAssignReplicasToDirsResponse()
	c.decideLocked(func(s controller.State) []metadata.Record {
		_, recs, err := s.AssignReplicasToDirs(ask)
		resp.ErrorCode = model.ErrorCode(err)
		return recs
	})
	return resp
}

// topic makes a topic whose partitions are on the nodes given, led by the first.
func (c *cluster) topic(name string, partitions int32, replicas ...int32) {
	c.decide(func(controller.State) []metadata.Record {
		id := model.ID{name[0], 7}
		recs := []metadata.Record{metadata.AddTopic{Name: name, ID: id}}
		for p := range partitions {
			recs = append(recs, metadata.AddPartition{Topic: id, Number: p, Partition: metadata.Partition{
				Leader: replicas[0], Replicas: replicas, ISR: replicas, Dirs: make([]model.ID, len(replicas)),
			}})
		}
		return recs
	})
}

// partitionState is what the cluster says of a partition.
func (c *cluster) partitionState(topic string, p int32) *metadata.Partition {
	_, is, ok := c.truth.Image().Partition(topic, p)
	if !ok {
		c.t.Fatalf("no partition %s-%d", topic, p)
	}
	return is
}

// leader is the node that leads a partition.
func (c *cluster) leader(topic string, p int32) *node {
	return c.nodes[c.partitionState(topic, p).Leader]
}

// kill ends a node at once: its connections break, its disk forgets what was not synced.
func (n *node) kill() {
	n.cluster.net.Kill(n.name())
	n.disk = n.disk.Crash(n.rng)
	n.down()
}

// down stops a node in order.
func (n *node) down() {
	n.stop()
	n.ends()
	<-n.done
	n.host = nil
	n.cluster.mu.Lock()
	n.feed = nil
	n.cluster.mu.Unlock()
}

// fence has the controller take a node out of service.
func (c *cluster) fence(id int32) {
	c.decide(func(s controller.State) []metadata.Record {
		recs, err := s.FenceBroker(id)
		if err != nil {
			c.t.Fatal(err)
		}
		return recs
	})
}

func (c *cluster) end() {
	for _, id := range slices.Sorted(maps.Keys(c.nodes)) {
		if n := c.nodes[id]; n.host != nil {
			n.stop()
			n.ends()
			if err := <-n.done; err != nil {
				c.t.Errorf("node %d: %v", id, err)
			}
		}
	}
}

// put appends a record on the leader and waits until it is committed.
func (c *cluster) put(topic string, p int32, value string) error {
	n := c.leader(topic, p)
	if n == nil || n.host == nil {
		return kerr.LeaderNotAvailable
	}
	part, err := n.host.Partition(model.TopicPartition{Topic: topic, Partition: p})
	if err != nil {
		return err
	}
	a, err := part.Append(n.batch("k", value), partition.AppendArgs{ProduceVersion: 12, Acks: partition.AllInSync})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return part.Wait(ctx, a.End, a.Epoch)
}

// same waits until a partition's replicas are the same on all nodes, and returns what
// they have.
func (c *cluster) same(topic string, p int32, nodes ...int32) []string {
	c.t.Helper()
	var have []string
	for wait := 0; ; wait++ {
		all := true
		have = c.nodes[nodes[0]].values(topic, p)
		for _, id := range nodes[1:] {
			all = all && slices.Equal(have, c.nodes[id].values(topic, p))
		}
		if all {
			return have
		}
		if wait > 600 {
			for _, id := range nodes {
				c.t.Logf("node %d has %v", id, c.nodes[id].values(topic, p))
			}
			c.t.Fatalf("%s-%d is not the same on %v", topic, p, nodes)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (c *cluster) mustPut(topic string, p int32, value string) {
	c.t.Helper()
	if err := c.put(topic, p, value); err != nil {
		c.t.Fatalf("put %s: %v", value, err)
	}
}

// cut breaks the connections that a host has made, and keeps it from making others: it
// can be reached, and reaches nobody.
func (c *cluster) cut(host string) {
	n := c.nodes[int32(host[1]-'0')]
	n.ends() // its listener goes too
	c.net.Kill(host)
	n.listen()
}
