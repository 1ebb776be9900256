package quorum

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/odradek/odradek/internal/base/vfs"
)

// cluster is three voters whose messages pass from hand to hand. cut has the links
// that lose everything.
type cluster struct {
	t     *testing.T
	mu    sync.Mutex
	nodes map[int32]*member
	cut   map[int32]bool
}

type member struct {
	disk *vfs.Mem
	q    *Quorum
	m    *machine
	stop func() error
}

func (c *cluster) start(id int32) {
	n := c.nodes[id]
	n.m = newMachine()
	cfg := config(n.disk, n.m)
	cfg.Node, cfg.Voters = id, []int32{1, 2, 3}
	cfg.SnapshotBytes, cfg.SegmentBytes = 8<<10, 2<<10
	cfg.Phase = time.Duration(id) * 7 * time.Millisecond
	cfg.Send = func(list []*raftpb.Message) { c.deliver(id, list) }
	q, stop := start(c.t, cfg)
	c.mu.Lock()
	n.q, n.stop = q, stop
	c.mu.Unlock()
}

func (c *cluster) deliver(from int32, list []*raftpb.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range list {
		to := nodeID(m.GetTo())
		if n := c.nodes[to]; n.q != nil && !c.cut[from] && !c.cut[to] {
			n.q.Step(proto.CloneOf(m))
		}
	}
}

func (c *cluster) crash(id int32, rng *rand.Rand) {
	c.mu.Lock()
	n := c.nodes[id]
	n.q = nil
	stop := n.stop
	c.mu.Unlock()
	next := n.disk.Crash(rng)
	_ = stop() // its disk is gone
	n.disk = next
}

func (c *cluster) isolate(id int32, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut[id] = on
}

// leader waits for a node that leads and can reach a majority.
func (c *cluster) leader() (int32, *Quorum) {
	for {
		c.mu.Lock()
		for id := int32(1); id <= 3; id++ {
			if n := c.nodes[id]; n.q != nil && !c.cut[id] && n.q.term.Load() > 0 {
				c.mu.Unlock()
				return id, n.q
			}
		}
		c.mu.Unlock()
		time.Sleep(50 * time.Millisecond) // of the bubble's clock
	}
}

// Three voters lose a leader again and again, by power cut or by network, and nothing
// that was acknowledged; at the end all three have the same, in the same order.
func TestThreeVoters(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(11, 12))
		c := &cluster{t: t, nodes: map[int32]*member{}, cut: map[int32]bool{}}
		for id := int32(1); id <= 3; id++ {
			c.nodes[id] = &member{disk: vfs.NewMem()}
		}
		for id := int32(1); id <= 3; id++ {
			c.start(id)
		}
		var acked []string
		for round := range rounds {
			acked = append(acked, c.propose(round)...)
			id, _ := c.leader()
			if round%2 == 0 {
				c.crash(id, rng)
				acked = append(acked, c.propose(100+round)...)
				c.start(id)
			} else {
				c.isolate(id, true)
				acked = append(acked, c.propose(100+round)...)
				c.isolate(id, false)
			}
		}
		time.Sleep(5 * time.Second) // of the bubble's clock: let the last one catch up
		synctest.Wait()
		want := c.nodes[1].m.all()
		for id, n := range c.nodes {
			if got := n.m.all(); !slices.Equal(got, want) {
				t.Errorf("node %d has %d entries, node 1 has %d", id, len(got), len(want))
			}
		}
		at := -1
		for _, e := range acked {
			i := slices.Index(want, e)
			if i <= at {
				t.Fatalf("%q was acknowledged and is at %d, after %d", e, i, at)
			}
			at = i
		}
		if len(acked) < rounds*20 {
			t.Errorf("only %d were acknowledged", len(acked))
		}
		for _, n := range c.nodes {
			if err := n.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

// propose offers thirty entries to whoever leads and returns those acknowledged.
func (c *cluster) propose(round int) (acked []string) {
	for i := range 30 {
		_, q := c.leader()
		ctx, cancel := context.WithTimeout(c.t.Context(), 3*time.Second)
		e := fmt.Sprintf("%d/%d %s", round, i, make([]byte, 100))
		if _, err := q.Propose(ctx, []byte(e)); err == nil {
			acked = append(acked, e)
		}
		cancel()
	}
	return acked
}
