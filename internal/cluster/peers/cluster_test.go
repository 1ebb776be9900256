package peers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/odradek/odradek/internal/proto/model"
)

// cluster is three voters, nodes 1 to 3, and two that tail them, 4 and 5, on one network.
type cluster struct {
	t   *testing.T
	net *memnet.Network
	rng *rand.Rand

	mu     sync.Mutex // guards cut, healed and what nodes note
	cut    map[int32]bool
	healed chan struct{} // closed when a node is not cut off any more
	nodes  map[int32]*member
}

// member is one process of a node, and its disk, which outlives it.
type member struct {
	c       *cluster
	id      int32
	dir     model.ID
	disk    *vfs.Mem
	life    byte
	feed    *metadata.Feed
	quorum  *quorum.Quorum
	peers   *Peers
	stop    func() []error
	gone    []int32
	lost    []int32
	refused []error
	decided int
	leading atomic.Bool
}

const voters = 3

func newCluster(t *testing.T) *cluster {
	return &cluster{t: t, net: memnet.New(0), rng: rand.New(rand.NewPCG(1, 2)), cut: map[int32]bool{}, healed: make(chan struct{}), nodes: map[int32]*member{}}
}

func (c *cluster) startAll() {
	for id := int32(1); id <= voters+2; id++ {
		c.start(id)
	}
}

func address(id int32) string { return fmt.Sprintf("10.0.0.%d:9093", id) }

func (c *cluster) start(id int32, tweak ...func(*Config, *quorum.Config)) *member {
	m := c.nodes[id]
	if m == nil {
		m = &member{c: c, id: id, dir: model.ID{0xd, byte(id)}, disk: vfs.NewMem()}
	} else {
		m = &member{c: c, id: id, dir: m.dir, disk: m.disk, life: m.life + 1}
	}
	c.nodes[id] = m
	m.feed = metadata.NewFeed()
	host := c.net.Host(fmt.Sprintf("10.0.0.%d", id))
	pc := Config{
		Node: id, Directory: m.dir, Incarnation: model.ID{1, byte(id), m.life}, Release: "test",
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			time.Sleep(time.Duration(200+10*id) * time.Microsecond) // the network's
			return c.dial(ctx, id, host, address)
		},
		Voters: map[int32]string{1: address(1), 2: address(2), 3: address(3)}, Feed: m.feed,
		Leading:    m.leading.Load,
		Answer:     m.answer,
		LeaderGone: func(node int32) { m.note(&m.gone, node); m.leaderGone(node) },
		LineLost:   func(node int32) { m.note(&m.lost, node) },
		Refused: func(err error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			m.refused = append(m.refused, err)
		},
		Log: slog.New(slog.DiscardHandler),
	}
	qc := quorum.Config{
		FS: m.disk, Dir: "/q", Node: id, Voters: []int32{1, 2, 3}, Apply: m.feed.ApplyEntry,
		Snapshot: func() []byte { _, b := m.feed.Snapshot(); return b }, Restore: m.feed.Restore,
		Send: func(list []*raftpb.Message) { m.peers.Send(list) },
		Lead: func(int64) { m.leading.Store(true) }, Resign: func() { m.leading.Store(false) },
		Phase: time.Duration(id) * 7 * time.Millisecond, Rand: rand.New(rand.NewPCG(uint64(id), uint64(m.life))).Uint64,
	}
	for _, f := range tweak {
		f(&pc, &qc)
	}
	var err error
	if id <= voters || qc.Join {
		if m.quorum, err = quorum.Open(qc); err != nil {
			c.t.Fatal(err)
		}
		if w, ok := pc.Quorum.(interface{ wrap(q *quorum.Quorum) }); ok {
			w.wrap(m.quorum)
		} else {
			pc.Quorum = m.quorum
		}
	}
	if m.peers, err = New(pc); err != nil {
		c.t.Fatal(err)
	}
	m.run()
	return m
}

// run runs the process until its stop.
func (m *member) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 4)
	n := 0
	begin := func(f func(context.Context) error) {
		n++
		go func() { ended <- f(ctx) }()
	}
	begin(m.peers.Run)
	ln, err := m.c.net.Listen("tcp", address(m.id))
	if err != nil {
		m.c.t.Fatal(err)
	}
	begin(func(ctx context.Context) error { return m.peers.Listen(ctx, ln) })
	if m.quorum != nil {
		begin(m.quorum.Run)
	}
	begin(m.peers.Follow)
	m.stop = sync.OnceValue(func() (errs []error) {
		cancel()
		for range n {
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				errs = append(errs, err)
			}
		}
		return errs
	})
}

func (m *member) note(list *[]int32, node int32) {
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	*list = append(*list, node)
}

func (m *member) leaderGone(node int32) {
	if m.quorum != nil {
		m.quorum.LeaderGone(node)
	}
}

// kill is the death of a process and of what it had not made durable.
func (c *cluster) kill(id int32) {
	m := c.nodes[id]
	next := m.disk.Crash(c.rng)
	c.net.Kill(fmt.Sprintf("10.0.0.%d", id))
	m.stop() // its disk is gone
	m.disk = next
}

// isolate cuts a node off without a word: what is sent from it or to it waits, as it does
// in the kernel of a node whose network is gone, or that is stopped.
func (c *cluster) isolate(id int32, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut[id] = on; !on {
		close(c.healed)
		c.healed = make(chan struct{})
	}
}

// open reports whether bytes pass between two nodes, or what to wait for.
func (c *cluster) open(a, b int32) (healed chan struct{}, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.healed, !c.cut[a] && !c.cut[b]
}

func (c *cluster) dial(ctx context.Context, from int32, host memnet.Host, address string) (net.Conn, error) {
	var to int32
	if _, err := fmt.Sscanf(address, "10.0.0.%d:", &to); err != nil {
		return nil, err
	}
	for {
		healed, ok := c.open(from, to)
		if ok {
			break
		}
		select {
		case <-healed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	nc, err := host.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &cable{Conn: nc, c: c, a: from, b: to, closed: make(chan struct{})}, nil
}

// cable is a connection through which nothing passes while one of its ends is cut off.
type cable struct {
	net.Conn
	c      *cluster
	a, b   int32
	once   sync.Once
	closed chan struct{}
	by     atomic.Pointer[time.Time] // of reads
	held   []byte                    // came while the node was cut off
}

// wait waits until bytes pass.
func (w *cable) wait(by *time.Time) error {
	var late <-chan time.Time
	if by != nil && !by.IsZero() {
		late = time.After(time.Until(*by))
	}
	for {
		healed, ok := w.c.open(w.a, w.b)
		if ok {
			return nil
		}
		select {
		case <-healed:
		case <-late:
			return os.ErrDeadlineExceeded
		case <-w.closed:
			return net.ErrClosed
		}
	}
}

func (w *cable) SetReadDeadline(t time.Time) error {
	w.by.Store(&t)
	return w.Conn.SetReadDeadline(t)
}

func (w *cable) SetDeadline(t time.Time) error {
	w.by.Store(&t)
	return w.Conn.SetDeadline(t)
}

func (w *cable) Write(b []byte) (int, error) {
	if err := w.wait(nil); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}

func (w *cable) Read(b []byte) (int, error) {
	by := w.by.Load()
	if len(w.held) == 0 {
		n, err := w.Conn.Read(b)
		if n == 0 {
			return 0, err
		}
		w.held = append(w.held, b[:n]...)
	}
	if err := w.wait(by); err != nil {
		return 0, err
	}
	n := copy(b, w.held)
	w.held = w.held[n:]
	return n, nil
}

func (w *cable) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

// answer is a controller of one request: CreateTopics sets the config NAME of a topic.
func (m *member) answer(ctx context.Context, e Envelope) ([]byte, error) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = e.Version
	if e.Key != req.Key() {
		return nil, kerr.UnsupportedVersion
	}
	if err := req.ReadFrom(e.Body); err != nil {
		return nil, kerr.InvalidRequest
	}
	if e.Version > 5 {
		return nil, fmt.Errorf("an old release: %w", kerr.UnsupportedVersion)
	}
	resp := kmsg.NewPtrCreateTopicsResponse()
	resp.Version = e.Version
	for _, t := range req.Topics {
		name := t.Topic
		rec := metadata.SetConfig{Resource: metadata.Resource{Type: metadata.TopicResource, Name: name}, Key: "by", Value: &e.Principal}
		if _, err := m.quorum.Propose(ctx, metadata.Encode(nil, []metadata.Record{rec})); err != nil {
			return nil, err
		}
		m.c.mu.Lock()
		m.decided++
		m.c.mu.Unlock()
		rt := kmsg.NewCreateTopicsResponseTopic()
		rt.Topic = name
		resp.Topics = append(resp.Topics, rt)
	}
	return resp.AppendTo(nil), nil
}

func topics(names ...string) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	for _, name := range names {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic = name
		req.Topics = append(req.Topics, t)
	}
	return req
}

func has(f *metadata.Feed, name string) bool {
	return f.Image().Configs(metadata.Resource{Type: metadata.TopicResource, Name: name}) != nil
}

func (c *cluster) leader() int32 {
	for {
		for id := int32(1); id <= voters; id++ {
			m := c.nodes[id]
			c.mu.Lock()
			cut := c.cut[id]
			c.mu.Unlock()
			if l, _ := m.peers.Leader(); l == id && !cut {
				return id
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (c *cluster) stopAll() {
	for id := int32(1); int(id) <= len(c.nodes); id++ {
		for _, err := range c.nodes[id].stop() {
			c.t.Errorf("node %d: %v", id, err)
		}
	}
}

// ask asks from a node within a time.
func (c *cluster) ask(id int32, within time.Duration, names ...string) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), within)
	defer cancel()
	resp, err := c.nodes[id].peers.Ask(ctx, topics(names...))
	if err == nil && len(resp.(*kmsg.CreateTopicsResponse).Topics) != len(names) {
		err = errors.New("an answer to something else")
	}
	return err
}

// Every node reaches the controller, by a version that it speaks, and reads its own
// writes.
func TestAsk(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.startAll()
		for id := int32(1); id <= 5; id++ {
			for i := range 20 {
				name := fmt.Sprintf("t-%d-%d", id, i)
				if err := c.ask(id, 10*time.Second, name); err != nil {
					t.Fatalf("node %d: %v", id, err)
				}
				if !has(c.nodes[id].feed, name) {
					t.Fatalf("node %d does not see what it was told", id)
				}
			}
		}
		for id := int32(1); id <= 5; id++ {
			if err := c.nodes[id].peers.CaughtUp(t.Context()); err != nil || !has(c.nodes[id].feed, "t-5-19") {
				t.Errorf("node %d is caught up, %v, and does not see the last", id, err)
			}
		}
		c.stopAll()
	})
}

// The leader dies, again and again: all notice at once, and metadata is written again in
// well under a second, by every node.
func TestLeaderDies(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.startAll()
		if err := c.ask(5, 10*time.Second, "first"); err != nil {
			t.Fatal(err)
		}
		worst := time.Duration(0)
		for round := range 10 {
			was := c.leader()
			c.kill(was)
			began := time.Now()
			for id := int32(1); id <= 5; id++ {
				if id == was {
					continue
				}
				if err := c.ask(id, 10*time.Second, fmt.Sprintf("t-%d-%d", round, id)); err != nil {
					t.Fatalf("round %d, node %d: %v", round, id, err)
				}
			}
			worst = max(worst, time.Since(began))
			for id := int32(1); id <= 5; id++ {
				c.mu.Lock()
				if m := c.nodes[id]; id != was && !slices.Equal(m.gone, []int32{was}) {
					t.Errorf("round %d: node %d noticed the death of %v, not of %d", round, id, m.gone, was)
				}
				c.nodes[id].gone = nil
				c.mu.Unlock()
			}
			c.start(was)
			time.Sleep(3 * time.Second)
		}
		if worst > 400*time.Millisecond {
			t.Errorf("all could write after %v", worst)
		}
		t.Logf("all could write after %v at most", worst)
		for id := int32(1); id <= 5; id++ {
			if err := c.nodes[id].peers.CaughtUp(t.Context()); err != nil {
				t.Errorf("node %d: %v", id, err)
			}
			for round := range 10 {
				if found := has(c.nodes[id].feed, fmt.Sprintf("t-%d-5", round)); !found {
					t.Errorf("node %d has lost what was decided in round %d", id, round)
				}
			}
		}
		c.stopAll()
	})
}

// The leader is cut off without a word: the others go on within about a second and think
// nobody dead; it decides nothing meanwhile, and follows when it is back.
func TestLeaderIsCutOff(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.startAll()
		if err := c.ask(5, 10*time.Second, "first"); err != nil {
			t.Fatal(err)
		}
		for round := range 6 {
			was := c.leader()
			c.isolate(was, true)
			began := time.Now()
			for id := int32(1); id <= 5; id++ {
				if id == was {
					continue
				}
				err := c.ask(id, 10*time.Second, fmt.Sprintf("t-%d-%d", round, id))
				if errors.Is(err, kerr.RequestTimedOut) { // the old leader had got it, for all we know
					err = c.ask(id, 10*time.Second, fmt.Sprintf("t-%d-%d", round, id))
				}
				if err != nil {
					t.Fatalf("round %d, node %d: %v", round, id, err)
				}
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("round %d: all could write after %v", round, took)
			}
			if err := c.ask(was, time.Second, "never"); err == nil {
				t.Errorf("round %d: who is cut off has decided", round)
			}
			time.Sleep(time.Duration(round) * 3 * time.Second)
			c.isolate(was, false)
			began = time.Now()
			if err := c.ask(was, 10*time.Second, fmt.Sprintf("back-%d", round)); err != nil {
				t.Fatalf("round %d: node %d, when it is back: %v", round, was, err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("round %d: it was back after %v", round, took)
			}
		}
		for id := int32(1); id <= 5; id++ {
			if m := c.nodes[id]; len(m.gone) > 0 {
				t.Errorf("node %d thinks that %v died", id, m.gone)
			}
			if err := c.nodes[id].peers.CaughtUp(t.Context()); err != nil || !has(c.nodes[id].feed, "back-5") {
				t.Errorf("node %d is not caught up: %v", id, err)
			}
		}
		c.stopAll()
	})
}
