package group

import (
	"context"

	"github.com/odradek/odradek/internal/coord/runtime"
)

// Class is a type of groups, and a state that they may be in.
type Class struct{ Type, State string }

// classes are those that a group may be of.
var classes = [...]Class{
	{classicType, "Empty"}, {classicType, "PreparingRebalance"}, {classicType, "CompletingRebalance"}, {classicType, "Stable"},
	{consumerType, "Empty"}, {consumerType, "Assigning"}, {consumerType, "Reconciling"}, {consumerType, "Stable"},
	{shareType, "Empty"}, {shareType, "Stable"},
}

// Snapshot counts the groups that are coordinated here, by class: each that there is. It
// waits for no commit: what it tells may be forgotten in a moment. Of partitions that are
// being loaded it tells nothing.
func (s *Service) Snapshot() map[Class]int {
	counts := make(map[Class]int, len(classes))
	for _, c := range classes {
		counts[c] = 0
	}
	for _, p := range s.runtime.Led() {
		// A command is run even if nobody has time for its commit.
		_, _ = runtime.Do(over, s.runtime, p, runtime.Independent, func(st *state, _ *runtime.Turn) (struct{}, error) {
			st.count(counts)
			return struct{}{}, nil
		})
	}
	return counts
}

// count adds a machine's groups.
func (st *state) count(counts map[Class]int) {
	for _, g := range st.groups {
		counts[Class{classicType, g.phase.String()}]++
	}
	for _, g := range st.consumers {
		counts[Class{consumerType, g.stateName()}]++
	}
	for _, g := range st.shares {
		counts[Class{shareType, g.stateName()}]++
	}
}

// over is a context that has ended.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
