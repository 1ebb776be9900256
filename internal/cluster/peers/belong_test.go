package peers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/model"
)

// write has the leader write records.
func (c *cluster) write(recs ...metadata.Record) {
	c.t.Helper()
	for range 100 {
		m := c.nodes[c.leader()]
		if _, err := m.quorum.Propose(c.t.Context(), metadata.Encode(nil, recs)); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatal("nothing can be written")
}

// register writes what nodes 1 to 3 register, and the name of the cluster.
func (c *cluster) register() {
	c.write(metadata.SetCluster{ID: "our-cluster"})
	for id := int32(1); id <= voters; id++ {
		m := c.nodes[id]
		c.write(metadata.RegisterController{Controller: metadata.Controller{
			ID: id, Directory: m.dir, Incarnation: model.ID{1, byte(id), m.life},
			Endpoints: []metadata.Endpoint{{Listener: "CONTROLLER", Host: fmt.Sprintf("10.0.0.%d", id), Port: 9093}},
		}})
	}
	time.Sleep(time.Second)
}

func (c *cluster) refusals(id int32) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]error(nil), c.nodes[id].refused...)
}

// A voter that has lost its disk is refused, with the way out; so is a node of another
// cluster, and a second one with the same id. Those that belong are not disturbed, and the
// node that was refused may come back with the folder that it had.
func TestWhoDoesNotBelong(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.startAll()
		c.register()

		c.kill(3)
		disk, dir := c.nodes[3].disk, c.nodes[3].dir
		c.nodes[3].disk, c.nodes[3].dir = vfs.NewMem(), model.ID{0xff}
		c.start(3)
		time.Sleep(3 * time.Second)
		wrong := c.refusals(3)
		if len(wrong) == 0 || !errors.Is(wrong[0], kerr.InvalidVoterKey) || !strings.Contains(wrong[0].Error(), "odradek cluster voters replace 3") {
			t.Errorf("without its disk: %v", wrong)
		}
		if offset := c.nodes[3].feed.Image().Offset; offset > 1 {
			t.Errorf("who is refused has the metadata up to %d", offset)
		}
		c.kill(3)
		c.nodes[3].disk, c.nodes[3].dir = disk, dir
		c.start(3)
		if err := c.nodes[3].peers.CaughtUp(t.Context()); err != nil {
			t.Error(err)
		}
		if wrong := c.refusals(3); len(wrong) > 0 {
			t.Errorf("with its disk: %v", wrong)
		}

		c.kill(5)
		c.start(5, func(p *Config, _ *quorum.Config) { p.ClusterID = func() string { return "another" } })
		time.Sleep(3 * time.Second)
		if wrong := c.refusals(5); len(wrong) == 0 || !errors.Is(wrong[0], kerr.InconsistentClusterID) || !strings.Contains(wrong[0].Error(), "cluster another") {
			t.Errorf("of another cluster: %v", wrong)
		}
		c.kill(5)
		c.start(5, func(p *Config, _ *quorum.Config) { p.Node = 2 })
		time.Sleep(3 * time.Second)
		if wrong := c.refusals(5); len(wrong) == 0 || !strings.Contains(wrong[0].Error(), "two nodes have node.id=2") {
			t.Errorf("with the id of another: %v", wrong)
		}
		c.kill(5)
		c.start(5)
		if err := c.ask(5, 10*time.Second, "at last"); err != nil {
			t.Error(err)
		}
		for id := int32(1); id <= 4; id++ {
			if wrong := c.refusals(id); len(wrong) > 0 {
				t.Errorf("node %d is to stop: %v", id, wrong)
			}
		}
		c.stopAll()
	})
}

// A voter that was down while another was replaced learns of it, and disturbs nobody.
func TestReplacedWhileAnotherWasDown(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.startAll()
		c.register()
		for c.leader() == 1 { // who was down must not be the one that all ask
			c.kill(1)
			c.start(1)
			time.Sleep(2 * time.Second)
		}
		c.kill(1)
		// In the place of a removal and an addition: node 3 tells of another folder.
		m := c.nodes[3]
		m.dir = model.ID{0xee}
		c.write(metadata.RegisterController{Controller: metadata.Controller{
			ID: 3, Directory: m.dir, Endpoints: []metadata.Endpoint{{Host: "10.0.0.3", Port: 9093}},
		}})
		c.kill(3)
		c.start(3)
		time.Sleep(2 * time.Second)
		c.start(1)
		if err := c.nodes[1].peers.CaughtUp(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		for id := int32(1); id <= 5; id++ {
			if wrong := c.refusals(id); len(wrong) > 0 {
				t.Errorf("node %d is to stop: %v", id, wrong)
			}
		}
		if up := c.nodes[1].peers.link.Up(); len(up) != 2 {
			t.Errorf("node 1 has lines to %d nodes", len(up))
		}
		c.stopAll()
	})
}

// A node that knows only where to ask finds the quorum, follows it, and becomes a voter.
func TestJoin(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.startAll()
		c.register()
		m := c.start(6, func(p *Config, q *quorum.Config) {
			p.Voters, p.Bootstrap = nil, []string{"10.0.0.99:9093", address(2)}
			q.Join, q.Voters = true, nil
		})
		if err := m.peers.CaughtUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m.feed.Image().ClusterID != "our-cluster" {
			t.Error("it does not know where it is")
		}
		c.write(metadata.RegisterController{Controller: metadata.Controller{
			ID: 6, Directory: m.dir, Endpoints: []metadata.Endpoint{{Host: "10.0.0.6", Port: 9093}},
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := c.nodes[c.leader()].quorum.AddVoter(ctx, 6); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if !m.quorum.Status().Votes(6) {
			t.Error("it has no vote")
		}
		was := c.leader()
		c.kill(was)
		if err := c.ask(6, 10*time.Second, "with a vote"); err != nil {
			t.Error(err)
		}
		c.start(was)
		// Removed, it follows as before.
		time.Sleep(3 * time.Second)
		if l := c.leader6(); l != 6 {
			if err := c.nodes[l].quorum.RemoveVoter(ctx, 6); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			if err := c.ask(4, 10*time.Second, "without"); err != nil {
				t.Error(err)
			}
			if err := m.peers.CaughtUp(t.Context()); err != nil || !has(m.feed, "without") {
				t.Errorf("a node that was removed does not follow: %v", err)
			}
		}
		for _, id := range []int32{6, 5, 4, 3, 2, 1} {
			for _, err := range c.nodes[id].stop() {
				t.Errorf("node %d: %v", id, err)
			}
		}
	})
}

// Nodes that were down while another joined the quorum, and that only know where the first
// voters were, hear from those where it is that leads now: one that follows, and one that
// votes.
func TestLeaderJoinedMeanwhile(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.startAll()
		c.register()
		for c.leader() == 3 {
			if err := c.nodes[3].quorum.TransferLeadership(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		c.kill(3)
		c.kill(4)
		m := c.start(6, func(_ *Config, q *quorum.Config) { q.Join, q.Voters = true, nil })
		if err := m.peers.CaughtUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.write(metadata.RegisterController{Controller: metadata.Controller{
			ID: 6, Directory: m.dir, Endpoints: []metadata.Endpoint{{Host: "10.0.0.6", Port: 9093}},
		}})
		if err := c.nodes[c.leader()].quorum.AddVoter(t.Context(), 6); err != nil {
			t.Fatal(err)
		}
		for c.leader6() != 6 { // as if the one that leads handed over to it
			st := c.nodes[c.leader6()].quorum.Status()
			m.quorum.Step(&raftpb.Message{
				Type: raftpb.MsgTimeoutNow.Enum(), From: new(raftID(st.Node)), To: new(raftID(6)), Term: new(uint64(st.Term)),
			})
			time.Sleep(time.Second)
		}
		for _, id := range []int32{4, 3} {
			c.start(id)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if err := c.nodes[id].peers.CaughtUp(ctx); err != nil {
				t.Errorf("node %d: %v", id, err)
			}
			cancel()
			if l := c.leader6(); l != 6 {
				t.Errorf("node %d leads: nothing was shown of node %d", l, id)
			}
		}
		for _, id := range []int32{6, 5, 4, 3, 2, 1} {
			for _, err := range c.nodes[id].stop() {
				t.Errorf("node %d: %v", id, err)
			}
		}
	})
}

// leader6 is who leads, node 6 among the candidates.
func (c *cluster) leader6() int32 {
	for {
		if l, _ := c.nodes[1].peers.Leader(); l >= 0 {
			return l
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// counting counts how often the tail is read.
type counting struct {
	*quorum.Quorum
	reads atomic.Int64
}

func (q *counting) wrap(is *quorum.Quorum) { q.Quorum = is }

func (q *counting) Tail(ctx context.Context, from int64, most int) (quorum.Chunk, error) {
	c, err := q.Quorum.Tail(ctx, from, most)
	if len(c.Entries) > 0 || c.Snapshot != nil {
		q.reads.Add(1)
	}
	return c, err
}

// Sixty nodes follow one leader: each piece of the log is read and written once, and
// all have it at the same moment.
func TestManyFollow(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t)
		m := &counting{}
		one := c.start(1, func(p *Config, q *quorum.Config) {
			p.Voters, q.Voters = map[int32]string{1: address(1)}, []int32{1}
			p.Quorum = m
		})
		<-one.isLeading(t)
		const followers = 60
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		var feeds []*metadata.Feed
		for i := range int32(followers) {
			feed := metadata.NewFeed()
			feeds = append(feeds, feed)
			p, err := New(Config{
				Node: 100 + i, Incarnation: model.ID{byte(i), 1}, Feed: feed, Voters: map[int32]string{1: address(1)},
				Dial: one.peers.c.Dial,
			})
			if err != nil {
				t.Fatal(err)
			}
			follow(ctx, t, &wg, p)
		}
		time.Sleep(2 * time.Second)
		before := m.reads.Load()
		for i := range 20 {
			if err := c.ask(1, time.Second, fmt.Sprint("t", i)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for _, f := range feeds {
				if !has(f, fmt.Sprint("t", i)) {
					t.Fatalf("%d is not seen by all at once", i)
				}
			}
		}
		if reads := m.reads.Load() - before; reads > 24 {
			t.Errorf("20 entries were read %d times", reads)
		}
		cancel()
		wg.Wait()
		c.stopAll()
	})
}

// follow has p follow the metadata until ctx ends.
func follow(ctx context.Context, t *testing.T, wg *sync.WaitGroup, p *Peers) {
	for _, f := range []func(context.Context) error{p.Run, p.Follow} {
		wg.Go(func() {
			if err := f(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

func (m *member) isLeading(t *testing.T) <-chan struct{} {
	for !m.leading.Load() {
		time.Sleep(time.Millisecond)
	}
	done := make(chan struct{})
	close(done)
	return done
}

// Who comes back after the log was cut gets a snapshot, of 5 MiB, while others are served.
func TestFarBehind(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t)
		small := func(_ *Config, q *quorum.Config) { q.SnapshotBytes, q.SegmentBytes = 256<<10, 64<<10 }
		for id := int32(1); id <= 5; id++ {
			c.start(id, small)
		}
		if err := c.ask(5, 10*time.Second, "first"); err != nil {
			t.Fatal(err)
		}
		behind := int32(1 + c.leader()%voters)
		c.kill(behind)
		c.kill(4)
		value := strings.Repeat("v", 512<<10)
		for i := range 10 {
			r := metadata.Resource{Type: metadata.TopicResource, Name: fmt.Sprint("large", i)}
			c.write(metadata.SetConfig{Resource: r, Key: "k", Value: &value})
		}
		c.start(4, small)
		c.start(behind, small)
		was := c.leader()
		for i := range 20 {
			if err := c.ask(5, time.Second, fmt.Sprint("meanwhile", i)); err != nil {
				t.Error(err)
			}
		}
		for _, id := range []int32{4, behind} {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			if err := c.nodes[id].peers.CaughtUp(ctx); err != nil || !has(c.nodes[id].feed, "large9") {
				t.Errorf("node %d: %v", id, err)
			}
			cancel()
		}
		if is := c.leader(); is != was {
			t.Errorf("node %d has taken the lead from %d meanwhile", is, was)
		}
		c.stopAll()
	})
}

// A request that the leader had got when it died is not made twice: whoever asked hears
// that nobody knows.
func TestNothingIsDoneTwice(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.startAll()
		if err := c.ask(5, 10*time.Second, "first"); err != nil {
			t.Fatal(err)
		}
		was := c.leader()
		var got atomic.Int32
		for id := int32(1); id <= voters; id++ {
			m := c.nodes[id]
			m.peers.SetAnswer(func(ctx context.Context, e Envelope) ([]byte, error) {
				if got.Add(1); m.id == was {
					<-ctx.Done() // it is killed meanwhile
					return nil, ctx.Err()
				}
				return m.answer(ctx, e)
			})
		}
		failed := make(chan error, 1)
		go func() { failed <- c.ask(5, 10*time.Second, "once") }()
		for got.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		c.kill(was)
		if err := <-failed; !errors.Is(err, kerr.RequestTimedOut) || got.Load() != 1 {
			t.Errorf("the error is %v, and it was asked %d times", err, got.Load())
		}
		c.start(was)
		c.stopAll()
	})
}

// Messages that are not what the line says do not reach Raft.
func TestForgedMessages(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.startAll()
		was := c.leader()
		_, term := c.nodes[was].peers.Leader()
		heartbeat := func(from uint64) *raftpb.Message {
			return &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), From: &from, To: new(raftID(was)), Term: new(uint64(term + 100))}
		}
		c.nodes[4].peers.Send([]*raftpb.Message{heartbeat(raftID(1 + was%voters))})
		time.Sleep(2 * time.Second)
		if is, now := c.nodes[was].peers.Leader(); is != was || now != term {
			t.Errorf("node %d leads in term %d, not %d in %d", is, now, was, term)
		}
		c.stopAll()
	})
}
