package peers

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/model"
)

// hearsay is the quorum of a node that leads in term 9, and later takes another for the
// leader, of an older term.
type hearsay struct {
	Quorum
	later atomic.Bool
	asked atomic.Int64
}

func (h *hearsay) wrap(q *quorum.Quorum) { h.Quorum = q }

func (h *hearsay) Status() quorum.Status {
	if h.asked.Add(1) > 50_000 {
		time.Sleep(time.Hour) // or the test would never end
	}
	st := h.Quorum.Status()
	if h.later.Load() {
		st.Leader = 2
	}
	return st
}

func (h *hearsay) Tail(ctx context.Context, from int64, most int) (quorum.Chunk, error) {
	c, err := h.Quorum.Tail(ctx, from, most)
	c.Term = 9
	return c, err
}

// Who is sent on to a leader that cannot be reached asks again, but not as fast as it can.
// Seed 103231 of the simulator did so until the memory was full.
func TestSentOnAndOn(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := newCluster(t)
		h := &hearsay{}
		one := c.start(1, func(p *Config, q *quorum.Config) {
			p.Voters, q.Voters = map[int32]string{1: address(1)}, []int32{1}
			p.Quorum = h
		})
		p, err := New(Config{
			Node: 100, Incarnation: model.ID{1}, Feed: metadata.NewFeed(), Voters: map[int32]string{1: address(1)},
			Dial: one.peers.c.Dial,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		follow(ctx, t, &wg, p)
		time.Sleep(5 * time.Second)
		if l := p.leads(); l != (leader{1, 9}) {
			t.Fatalf("who follows knows %v", l)
		}
		h.later.Store(true)
		h.asked.Store(0)
		time.Sleep(2 * time.Second)
		if n := h.asked.Load(); n < 10 || n > 10_000 {
			t.Errorf("it was asked %d times in 2 s", n)
		}
		cancel()
		wg.Wait()
		c.stopAll()
	})
}
