package assign

import (
	"cmp"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/proto/model"
)

// Range gives each member a run of consecutive partitions of each topic, topic by topic,
// so that topics with equally many partitions are divided alike, and what has the same
// key meets at the same member. It looks at nothing that members own: who has an
// instance id comes first, in the order of those ids, and so keeps its place when it
// restarts; the others follow by member id.
type Range struct{}

func (Range) Name() string { return RangeName }

func (Range) Assign(members []Member, topics map[model.ID]Topic) (Assignment, error) {
	all, _, err := sortedTopics(members, topics)
	if err != nil {
		return nil, err
	}
	ordered := slices.Clone(members)
	slices.SortStableFunc(ordered, func(a, b Member) int {
		if static := cmp.Compare(dynamic(a), dynamic(b)); static != 0 {
			return static
		}
		return cmp.Or(strings.Compare(a.InstanceID, b.InstanceID), strings.Compare(a.ID, b.ID))
	})
	left := make(map[model.ID]*runs, len(all))
	for i := range all {
		left[all[i].ID] = newRuns(all[i].Partitions)
	}
	for i := range ordered {
		for _, id := range ordered[i].Topics {
			left[id].members++
		}
	}
	given := make(Assignment, len(members))
	for i := range ordered {
		own := make(map[model.ID][]int32, len(ordered[i].Topics))
		for _, id := range ordered[i].Topics {
			if run := left[id].next(); len(run) > 0 {
				own[id] = run
			}
		}
		given[ordered[i].ID] = own
	}
	return given, nil
}

func dynamic(m Member) int {
	if m.InstanceID == "" {
		return 1
	}
	return 0
}

// runs divides the partitions of a topic among members, the longer runs first.
type runs struct {
	partitions []int32 // not yet given
	members    int     // that have none yet
}

func newRuns(n int32) *runs {
	r := &runs{partitions: make([]int32, n)}
	for i := range r.partitions {
		r.partitions[i] = int32(i)
	}
	return r
}

func (r *runs) next() []int32 {
	n := (len(r.partitions) + r.members - 1) / r.members
	run := r.partitions[:n:n]
	r.partitions, r.members = r.partitions[n:], r.members-1
	return run
}
