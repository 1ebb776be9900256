package group

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Members may subscribe to a regular expression (RE2), which the coordinator matches with
// the names of all topics: not while the group waits, but on a goroutine of the Service,
// for all expressions of a group at once so that they bring one rebalance. What matched is
// a record of the group.

// minPatternRefresh is how long what matched is good for, whatever happens.
const minPatternRefresh = 10 * time.Second

// patternChange is what a member's new pattern means.
type patternChange int

const (
	samePattern   patternChange = iota
	otherPattern                // not resolved yet
	otherResolved               // what it matches is known, or nothing is to be matched
)

// compilePattern compiles a regular expression that has to match a whole name.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	re, err := model.CompilePattern(pattern)
	if err != nil {
		return nil, model.Explain(kerr.InvalidRegularExpression, fmt.Sprintf("SubscribedTopicRegex `%s` is not a valid regular expression: %s.", pattern, err))
	}
	return re, nil
}

// patternChange compares the patterns of the member, and has the group's matched if that
// is due: if one is new, if there are new topics, or if it was long ago.
func (h *advance) patternChange() (patternChange, error) {
	g, was, is := h.group, h.was.pattern, h.next.pattern
	change, due := samePattern, false
	if was != is {
		change = otherPattern
		if was != "" && g.patterns[was] == 1 {
			h.plan.write(patternTombstone(g.id, was))
		}
		switch {
		case is == "":
			change = otherResolved
		case g.patterns[is] == 0:
			if _, err := compilePattern(is); err != nil {
				return change, err
			}
			due = true
		case g.resolved[is] != nil:
			change = otherResolved
		}
	}
	if due || len(g.patterns) > 0 {
		h.maybeResolve(due)
	}
	return change, nil
}

// maybeResolve has the group's patterns matched if it is time.
func (h *advance) maybeResolve(due bool) {
	g, now := h.group, h.plan.t.Now.UnixMilli()
	last, version := g.lastResolved()
	if g.resolving || !last.IsZero() && now <= last.UnixMilli()+minPatternRefresh.Milliseconds() {
		return
	}
	patterns := maps.Clone(g.patterns)
	if h.was.pattern != "" {
		add(patterns, h.was.pattern, -1)
	}
	if h.next.pattern != "" {
		add(patterns, h.next.pattern, 1)
	}
	refresh := h.state.settings().ConsumerPatternRefresh
	due = due || len(patterns) != len(g.resolved) || version < h.state.newTopics ||
		!last.IsZero() && now > last.UnixMilli()+refresh.Milliseconds()
	if !due || len(patterns) == 0 {
		return
	}
	task := resolution{group: g.id, patterns: slices.Sorted(maps.Keys(patterns)), image: h.state.topics.image, millis: now}
	h.plan.then(func() { h.state.resolve(g, task) })
}

// lastResolved is when the patterns were matched, and with which image. They are matched
// together, but for those that are new; the oldest counts.
func (g *consumerGroup) lastResolved() (at time.Time, version int64) {
	for _, r := range g.resolved {
		if at.IsZero() || r.millis < at.UnixMilli() {
			at, version = time.UnixMilli(r.millis), r.version
		}
	}
	return at, version
}

// resolution is a task: match patterns with the topics of an image.
type resolution struct {
	group    string
	patterns []string
	image    *metadata.Image
	millis   int64
}

func (st *state) resolve(g *consumerGroup, task resolution) {
	// Of a group that is being made the flag is lost: what is matched twice is matched.
	g.resolving = true
	st.ask(task)
}

// match does the task, or a part of it if ctx ends.
func (r *resolution) match(ctx context.Context) map[string]*resolvedPattern {
	matched := make(map[string]*resolvedPattern, len(r.patterns))
	for _, pattern := range r.patterns {
		if ctx.Err() != nil {
			break
		}
		re, err := compilePattern(pattern)
		if err != nil {
			continue // of a log that another version wrote
		}
		p := &resolvedPattern{version: r.image.Offset, millis: r.millis}
		for t := range r.image.Topics() {
			if re.MatchString(t.Name) {
				p.topics = append(p.topics, t.Name)
			}
		}
		matched[pattern] = p
	}
	return matched
}

// resolved takes what patterns matched. Only other topics begin a new epoch.
func (st *state) resolved(t *runtime.Turn, id string, matched map[string]*resolvedPattern) error {
	g := st.consumers[id]
	if g == nil {
		return nil
	}
	g.resolving = false
	p := newPlan(t)
	topics, bump := maps.Clone(g.topics), false
	for _, pattern := range slices.Sorted(maps.Keys(matched)) {
		if g.patterns[pattern] == 0 {
			continue
		}
		next := matched[pattern]
		var old []string
		if r := g.resolved[pattern]; r != nil {
			old = r.topics
		}
		if !slices.Equal(old, next.topics) {
			bump = true
			countPattern(topics, old, -1)
			countPattern(topics, next.topics, 1)
		}
		p.write(patternRecord(id, pattern, next))
	}
	if hash := st.topics.hash(topics); bump || hash != g.hash {
		epoch := g.epoch + 1
		p.write(consumerKinds.epochRecord(id, epoch, hash))
		p.then(func() { g.fresh(t.Now, epoch) })
	}
	return p.carryOut()
}

// resolutions are the tasks that wait, one a group at most.
type resolutions struct {
	mu    sync.Mutex // guards tasks; held for moments
	tasks []resolution
	kick  chan struct{}
}

func newResolutions() *resolutions { return &resolutions{kick: make(chan struct{}, 1)} }

func (q *resolutions) add(task resolution) {
	q.mu.Lock()
	q.tasks = append(q.tasks, task)
	q.mu.Unlock()
	select {
	case q.kick <- struct{}{}:
	default:
	}
}

// next waits for a task; false when ctx has ended.
func (q *resolutions) next(ctx context.Context) (resolution, bool) {
	for {
		if task, ok := q.take(); ok {
			return task, true
		}
		select {
		case <-q.kick:
		case <-ctx.Done():
			return resolution{}, false
		}
	}
}

func (q *resolutions) take() (resolution, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) == 0 {
		return resolution{}, false
	}
	task := q.tasks[0]
	q.tasks = q.tasks[1:]
	return task, true
}

// matchPatterns matches until ctx ends, and tells each group what it is.
func (s *Service) matchPatterns(ctx context.Context) error {
	for {
		task, ok := s.resolutions.next(ctx)
		if !ok {
			return nil
		}
		matched := task.match(ctx)
		_, err := do(ctx, s, task.group, runtime.Alone, func(st *state, t *runtime.Turn) (struct{}, error) {
			return struct{}{}, st.resolved(t, task.group, matched)
		})
		if err != nil {
			s.cfg.Log.Info("patterns of a group were matched in vain", "group", task.group, "error", err)
		}
	}
}
