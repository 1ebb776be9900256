package group

import (
	"context"
	"errors"
	"sync"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Before a partition is assigned to a member of a share group the share coordinator must
// keep a state for it. The group notes that the state is to begin, the Service asks the
// coordinator, without keeping the member waiting, and the group notes what came of it.

// ShareStates is where the states of share partitions are kept: share.Client.
type ShareStates interface {
	// InitializeStates returns why states did not begin; those that did are not in it.
	InitializeStates(ctx context.Context, starts []share.Start) map[share.Key]error
	// DeleteStates returns why states were not deleted.
	DeleteStates(ctx context.Context, keys []share.Key) map[share.Key]error
	Summaries(ctx context.Context, keys []share.Key, leaderEpoch int32) (map[share.Key]share.Summary, map[share.Key]error)
}

// beginning is a task: have the states of partitions begin.
type beginning struct {
	group  string
	these  map[model.ID]topicParts
	starts []share.Start
}

// begin has states begin of partitions that members subscribe to, unless that was asked
// for a moment ago.
func (h *shareAdvance) begin() beginning {
	g, st, now := h.group, h.state, h.plan.t.Now
	if g.deletions > 0 {
		return beginning{}
	}
	due := map[model.ID]topicParts{}
	for name := range h.topics {
		if t, ok := st.topics.image.Topic(name); ok {
			with(due, t.ID, topicParts{name, st.due(g, t, now)})
		}
	}
	if len(due) == 0 {
		return beginning{}
	}
	if next := g.states.begin(due); !next.equal(g.states) {
		h.plan.write(shareStatesRecord(g.id, next))
	}
	b := beginning{group: g.id, these: due}
	for _, k := range shareKeys(g.id, due) {
		b.starts = append(b.starts, st.next(share.Start{Key: k, StateEpoch: h.epoch, Offset: share.NoStart}))
	}
	st.tried(h.plan, b.starts)
	return b
}

// beginnings are the tasks that wait for the Service's goroutine.
type beginnings struct {
	mu    sync.Mutex // guards tasks, for moments only
	tasks []beginning
	more  chan struct{}
}

func newBeginnings() *beginnings { return &beginnings{more: make(chan struct{}, 1)} }

func (b *beginnings) add(task beginning) {
	if len(task.starts) == 0 {
		return
	}
	b.mu.Lock()
	b.tasks = append(b.tasks, task)
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
}

func (b *beginnings) take() []beginning {
	b.mu.Lock()
	defer b.mu.Unlock()
	tasks := b.tasks
	b.tasks = nil
	return tasks
}

// beginStates does the tasks, each on a goroutine of its own: a coordinator that cannot be
// reached holds up its own groups only.
func (s *Service) beginStates(ctx context.Context, g *run.Group) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.beginnings.more:
		}
		for _, task := range s.beginnings.take() {
			g.Go("beginning", func(ctx context.Context) error {
				s.beginState(ctx, task)
				return nil
			})
		}
	}
}

// beginState does one task. If a state is there that began in a later epoch than the
// group's, a group of the same name has left it: the group goes past that epoch.
func (s *Service) beginState(ctx context.Context, task beginning) map[share.Key]error {
	failed := map[share.Key]error{}
	if s.cfg.Shares != nil {
		failed = s.cfg.Shares.InitializeStates(ctx, task.starts)
	}
	var fenced []share.Key
	for k, err := range failed {
		if errors.Is(err, kerr.FencedStateEpoch) {
			fenced = append(fenced, k)
		}
	}
	var known map[share.Key]share.Summary
	if len(fenced) > 0 {
		known, _ = s.cfg.Shares.Summaries(ctx, fenced, -1)
	}
	_, err := do(ctx, s, task.group, runtime.Alone, func(st *state, t *runtime.Turn) (struct{}, error) {
		return struct{}{}, st.statesBegun(t, &task, failed, known)
	})
	if err != nil {
		s.cfg.Log.Info("states of a share group began, which it could not note", "group", task.group, "error", err)
		for _, start := range task.starts {
			failed[start.Key] = err
		}
		return failed
	}
	for k, err := range failed { // one tells for all
		s.cfg.Log.Warn("the state of a share partition did not begin", "partition", k, "of", len(failed), "error", err)
		break
	}
	return failed
}

// statesBegun notes what became of a task, as far as nothing later decides. known are the
// states that fenced it. States of a group that is gone stay: nobody has read with them, and
// the next group of the name begins its own.
func (st *state) statesBegun(t *runtime.Turn, task *beginning, failed map[share.Key]error, known map[share.Key]share.Summary) error {
	p := newPlan(t)
	begun, missed, past := map[model.ID]topicParts{}, map[model.ID]topicParts{}, int32(-1)
	for _, s := range task.starts {
		k := s.Key
		last, ok := st.tries[k]
		if !ok || last.start.StateEpoch != s.StateEpoch {
			continue
		}
		p.then(func() { delete(st.tries, k) })
		one := topicParts{task.these[k.TopicID].name, []int32{k.Partition}}
		switch {
		case last.void:
		case failed[k] == nil:
			with(begun, k.TopicID, one)
		default:
			with(missed, k.TopicID, one)
			if left, ok := known[k]; ok {
				past = max(past, left.StateEpoch)
			}
		}
	}
	if g := st.shares[task.group]; g != nil {
		next := g.states.begun(begun, missed).drop(func(id model.ID) bool { _, ok := st.topics.name(id); return ok })
		if !next.equal(g.states) {
			p.write(shareStatesRecord(g.id, next))
		}
		if past >= g.epoch {
			p.write(shareEpochRecord(g.id, past+1, g.hash))
		}
	}
	return p.carryOut()
}
