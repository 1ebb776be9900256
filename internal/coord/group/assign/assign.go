package assign

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/proto/model"
)

// Member is a member of the group. Empty strings mean that it has none.
type Member struct {
	ID         string
	InstanceID string // group.instance.id
	Rack       string // client.rack
	// Topics are those that it subscribes to and that exist, each once.
	Topics []model.ID
	// Owned is the assignment that it has been promised: its current target. It may hold
	// topics that it does not subscribe to any more, or that are gone. Partitions ascend.
	Owned map[model.ID][]int32
}

// Topic is a topic that members subscribe to.
type Topic struct {
	ID         model.ID
	Name       string
	Partitions int32
	// Racks are the racks of a partition's replicas; nil means that none is known.
	Racks func(partition int32) []string
	// Assignable tells which partitions may be given out; nil is all. Only the assignors of
	// share groups ask: they wait for a partition's state to be initialized.
	Assignable func(partition int32) bool
}

// Assignment is what each member gets: by member, by topic, partitions ascending.
// Every member has an entry, and no topic in it is empty.
type Assignment = map[string]map[model.ID][]int32

// Assignor gives partitions to members. The same arguments give the same answer.
type Assignor interface {
	Name() string
	// Assign takes members sorted by id. Its answer may share maps and slices with what
	// members own: neither may be changed. It fails if a member subscribes to a topic that
	// topics does not have.
	Assign(members []Member, topics map[model.ID]Topic) (Assignment, error)
}

// The names under which clients and settings ask for an assignor.
const (
	UniformName = "uniform" // the default of consumer groups
	RangeName   = "range"
	SimpleName  = "simple" // of share groups
)

// ByName returns an assignor of consumer groups, and whether there is one.
func ByName(name string) (Assignor, bool) {
	switch name {
	case UniformName:
		return Uniform{}, true
	case RangeName:
		return Range{}, true
	}
	return nil, false
}

// sortedTopics are the topics that any of the members subscribes to, by id, and whether
// all of them subscribe to the same ones.
func sortedTopics(members []Member, topics map[model.ID]Topic) (all []Topic, same bool, err error) {
	ids := map[model.ID]int{}
	for i := range members {
		for _, id := range members[i].Topics {
			ids[id]++
		}
	}
	same = true
	for id, subscribers := range ids {
		t, ok := topics[id]
		if !ok {
			return nil, false, fmt.Errorf("members subscribe to topic %v, which is not known", id)
		}
		same = same && subscribers == len(members)
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b Topic) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return all, same, nil
}
