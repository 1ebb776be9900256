package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/base/vfs"
)

// Whatever happens to voters, disks and network: one leader a term, every node applies the
// same, and nothing that was acknowledged is lost. When it is over, a majority agrees
// again within seconds.
func TestHistories(t *testing.T) {
	acked, terms, entries := 0, 0, 0
	n := seeds(15, 150)
	for seed := range n {
		inWorld(t, uint64(seed), []int{3, 5, 1}[seed%3], func(w *world) {
			(&history{world: w}).run(25)
			w.mu.Lock() // nodes are still at work
			defer w.mu.Unlock()
			acked, terms, entries = acked+len(w.acked), terms+len(w.leaders), entries+len(w.log)
		})
		if t.Failed() {
			t.Fatalf("repeat with seed %d", seed)
		}
	}
	t.Logf("%d entries, %d acknowledged, %d terms", entries, acked, terms)
	if acked < 20*n || terms < 2*n {
		t.Errorf("the histories have become dull: %d acknowledged, %d terms in %d", acked, terms, n)
	}
}

// history is a random story.
type history struct {
	*world
	group sync.WaitGroup
	tails map[int32]context.CancelFunc
	down  []int32
	held  []int32 // paused
	next  int32   // id of a node to come
	serve int
}

func (h *history) run(steps int) {
	h.tails, h.next = map[int32]context.CancelFunc{}, 10
	h.notice = h.roll(2) == 0
	if h.roll(3) == 0 {
		h.lossy = 0.02
	}
	for _, id := range h.voters {
		h.follow(id)
	}
	stranger := &judged{w: h.world, node: 99}
	h.tail(99, stranger)
	h.leader(5 * time.Second)
	for range steps {
		h.step()
		time.Sleep(time.Duration(h.roll(600)) * time.Millisecond)
	}
	h.recover()
	h.agree("at last", 6*time.Second)
	_, q := h.leader(5 * time.Second) // an election may still be under way
	members := votersOf(q.Status())
	h.settle(5*time.Second, members...)
	for stranger.offset() < q.Status().Commit {
		time.Sleep(time.Millisecond) // a deadlock of the bubble, should it never come
	}
	for _, stop := range h.tails {
		stop()
	}
	h.group.Wait()
}

func (h *history) step() {
	ids := slices.Sorted(mapKeys(h.nodes))
	id := ids[h.roll(len(ids))]
	up := !slices.Contains(h.down, id)
	switch k := h.roll(20); {
	case k < 5:
		h.pipeline(1 + h.roll(30))
	case k < 7 && up && len(h.down) < 2:
		h.resume(id)
		h.unfollow(id)
		h.kill(id)
		h.down = append(h.down, id)
	case k < 9 && len(h.down) > 0:
		h.restart()
	case k == 9 && up:
		h.pause(id, true)
		h.held = append(h.held, id)
	case k == 10 && len(h.held) > 0:
		h.resume(h.held[0])
	case k == 11:
		h.part(id)
	case k == 12:
		h.part(id, ids[h.roll(len(ids))])
	case k == 13:
		h.mu.Lock()
		h.cuts[[2]int32{id, ids[h.rng.IntN(len(ids))]}] = true
		h.mu.Unlock()
	case k == 14:
		h.heal()
	case k == 15 && up:
		h.q(id).LeaderGone(ids[h.roll(len(ids))])
	case k == 16 && up:
		ctx, cancel := context.WithTimeout(h.t.Context(), 300*time.Millisecond)
		_ = h.q(id).TransferLeadership(ctx) // it may have nobody to hand over to
		cancel()
	case k == 17 && up:
		h.stall(id)
	default:
		h.reform(id)
	}
}

func (h *history) resume(id int32) {
	h.pause(id, false)
	h.held = slices.DeleteFunc(h.held, func(other int32) bool { return other == id })
}

func (h *history) restart() {
	id := h.down[0]
	h.down = h.down[1:]
	h.start(id)
	h.follow(id)
}

// stall has a disk take its time, for a second or so.
func (h *history) stall(id int32) {
	until := time.Now().Add(time.Duration(h.roll(1500)) * time.Millisecond)
	h.host(id).fs.SetRule(func(op vfs.Op, _ string) error {
		if d := time.Until(until); op == vfs.OpSync && d > 0 {
			time.Sleep(d)
		}
		return nil
	})
}

// reform adds a node, new or known, or removes one, and makes its disk a new one.
func (h *history) reform(id int32) {
	_, q := h.leads()
	if q == nil {
		return
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Second)
	defer cancel()
	voters := votersOf(q.Status())
	switch {
	case !slices.Contains(voters, id):
		_ = q.AddVoter(ctx, id) // it may be down
	case len(voters) < 5 && h.roll(2) == 0:
		h.next++
		h.start(h.next)
		h.follow(h.next)
		_ = q.AddVoter(ctx, h.next)
	case len(voters) > 1:
		if err := q.RemoveVoter(ctx, id); err == nil && h.roll(2) == 0 && !slices.Contains(h.down, id) {
			h.resume(id)
			h.unfollow(id)
			h.kill(id)
			h.mu.Lock()
			n := h.nodes[id]
			n.disk = vfs.NewMem()
			n.fs, n.join = vfs.NewFaulty(n.disk, nil), true
			h.mu.Unlock()
			h.down = append(h.down, id)
		}
	}
}

// pipeline proposes entries one after the other without waiting.
func (h *history) pipeline(n int) {
	id, q := h.leads()
	if q == nil {
		return
	}
	p := h.process(id)
	h.serve++
	batch, term := h.serve, q.term.Load()
	var waits []Wait
	for i := range n {
		waits = append(waits, q.Begin(term, fmt.Appendf(nil, "%d/%d %s", batch, i, strings.Repeat("x", h.roll(400)))))
	}
	h.group.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		failed := false
		for i, wait := range waits {
			offset, err := wait(ctx)
			switch {
			case err == nil && failed:
				h.fault("entry %d/%d was agreed on in term %d after an earlier one had failed", batch, i, term)
			case err == nil:
				h.mu.Lock()
				e := h.log[offset]
				h.acked[offset] = e
				if !strings.HasPrefix(e, fmt.Sprintf("%d/%d ", batch, i)) {
					h.faults = append(h.faults, fmt.Sprintf("entry %d/%d was acknowledged at %d, but %.20q is there", batch, i, offset, e))
				}
				h.mu.Unlock()
			case errors.Is(err, kerr.NotController) || errors.Is(err, kerr.KafkaStorageError) || errors.Is(err, kerr.RequestTimedOut):
				failed = true
			case ctx.Err() != nil && p.stopped(4*time.Second):
				return // as its process is
			case ctx.Err() != nil:
				h.fault("entry %d/%d of term %d is left hanging", batch, i, term)
				return
			}
		}
	})
}

// follow has a node take the log by its tail as well, from anybody.
func (h *history) follow(id int32) { h.tail(id, h.process(id).m) }

func (h *history) unfollow(id int32) {
	if stop := h.tails[id]; stop != nil {
		stop()
		delete(h.tails, id)
	}
}

func (h *history) tail(id int32, m *judged) {
	ctx, cancel := context.WithCancel(context.Background())
	h.tails[id] = cancel
	h.group.Go(func() {
		for ctx.Err() == nil {
			if err := h.tailOnce(ctx, m); err != nil {
				h.fault("node %d tails: %v", id, err)
			}
		}
	})
}

func (h *history) tailOnce(ctx context.Context, m *judged) error {
	h.mu.Lock()
	var list []*Quorum
	for _, id := range slices.Sorted(mapKeys(h.nodes)) {
		if n := h.nodes[id]; n.process != nil && !h.cuts[[2]int32{id, m.node}] {
			list = append(list, n.process.q)
		}
	}
	h.mu.Unlock()
	if len(list) == 0 {
		time.Sleep(10 * time.Millisecond)
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, 400*time.Millisecond)
	defer cancel()
	from := m.offset() + 1
	c, err := list[h.roll(len(list))].Tail(asking, from, 1+h.roll(3000))
	time.Sleep(time.Duration(1+h.roll(20)) * time.Millisecond) // on its way
	if err != nil {
		return nil // that node is gone
	}
	if err := c.Check(from); err != nil {
		return err
	}
	if c.Snapshot != nil {
		return m.restore(c.Snapshot)
	}
	for _, e := range c.Entries {
		if err := m.apply(e.Offset, e.Data); err != nil {
			return err
		}
	}
	return nil
}

// recover puts an end to all trouble.
func (h *history) recover() {
	h.heal()
	h.mu.Lock()
	h.lossy = 0
	h.mu.Unlock()
	for len(h.held) > 0 {
		h.resume(h.held[0])
	}
	for len(h.down) > 0 {
		h.restart()
	}
}
