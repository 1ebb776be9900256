package group

import (
	"context"
	"errors"
	"slices"
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
		t, ok := st.topics.image.Topic(name)
		if !ok {
			continue
		}
		known := g.states.initialized[t.ID].partitions
		if at, ok := g.asked[t.ID]; ok && now.Sub(at) < st.settings().ShareInitializeRetry {
			if _, ends := g.states.deleting[t.ID]; ends {
				continue
			}
			known = inForm(slices.Concat(known, g.states.initializing[t.ID].partitions))
		}
		if len(known) >= len(t.Partitions) {
			continue
		}
		all := make([]int32, len(t.Partitions))
		for i := range all {
			all[i] = int32(i)
		}
		_, missing := split(all, known)
		due[t.ID] = topicParts{name, missing}
	}
	if len(due) == 0 {
		return beginning{}
	}
	if next := g.states.begin(due); !next.equal(g.states) {
		h.plan.write(shareStatesRecord(g.id, next))
	}
	h.plan.then(func() {
		for id := range due {
			g.asked[id] = now
		}
	})
	b := beginning{group: g.id, these: due}
	for _, k := range shareKeys(g.id, due) {
		b.starts = append(b.starts, share.Start{Key: k, StateEpoch: h.epoch, Offset: share.NoStart})
	}
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
	past := int32(-1)
	if len(fenced) > 0 {
		known, _ := s.cfg.Shares.Summaries(ctx, fenced, -1)
		for _, sum := range known {
			past = max(past, sum.StateEpoch)
		}
	}
	begun, missed := task.outcome(failed)
	_, err := do(ctx, s, task.group, runtime.Alone, func(st *state, t *runtime.Turn) (struct{}, error) {
		return struct{}{}, st.statesBegun(t, task.group, begun, missed, past)
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

// outcome divides the partitions by what became of them.
func (b *beginning) outcome(failed map[share.Key]error) (begun, missed map[model.ID]topicParts) {
	begun, missed = map[model.ID]topicParts{}, map[model.ID]topicParts{}
	for id, t := range b.these {
		isMissed := func(p int32) bool {
			return failed[share.Key{Group: b.group, TopicID: id, Partition: p}] != nil
		}
		with(begun, id, topicParts{t.name, slices.DeleteFunc(slices.Clone(t.partitions), isMissed)})
		with(missed, id, topicParts{t.name, slices.DeleteFunc(slices.Clone(t.partitions), func(p int32) bool { return !isMissed(p) })})
	}
	return begun, missed
}

// statesBegun notes what became of states. Those of a group that is gone stay: nobody has
// read with them, and the next group of the name begins its own.
func (st *state) statesBegun(t *runtime.Turn, id string, begun, missed map[model.ID]topicParts, past int32) error {
	g := st.shares[id]
	if g == nil {
		return nil
	}
	p := newPlan(t)
	next := g.states.begun(begun, missed).drop(func(id model.ID) bool { _, ok := st.topics.name(id); return ok })
	if !next.equal(g.states) {
		p.write(shareStatesRecord(g.id, next))
	}
	if past >= g.epoch {
		p.write(shareEpochRecord(g.id, past+1, g.hash))
	}
	p.then(func() {
		for id := range missed {
			delete(g.asked, id)
		}
	})
	return p.carryOut()
}
