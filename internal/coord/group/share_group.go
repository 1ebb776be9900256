package group

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// shareGroup is a group whose members share partitions (KIP-932). They get the partitions
// whose state the share coordinator has begun to keep; which those are the group knows.
//
// Its invariants:
//
//	a partition that was never initialized is assigned to nobody
//	a state is begun under an epoch of the group that was never used for it before
//	a state that members may have read with begins anew by AlterShareGroupOffsets alone (try)
type shareGroup struct {
	modern
	members map[string]*shareMember
	states  shareStates

	// Soft: what is assigned may not be what is initialized; how many requests to delete
	// states are under way; when such a request, of a topic's states, may still have been on
	// its way though nobody waited for it any more.
	unassigned bool
	deletions  int
	ending     map[model.ID]time.Time
}

// shareMember is a member of a share group. It is never changed.
type shareMember struct{ modernMember }

func newShareGroup(id string) *shareGroup {
	return &shareGroup{
		modern: newModern(id), members: map[string]*shareMember{}, states: newShareStates(),
		unassigned: true, ending: map[model.ID]time.Time{},
	}
}

// newShareMember is a member that has not joined yet.
func newShareMember(id string) *shareMember {
	return &shareMember{modernMember{id: id, previous: newMemberPrevious}}
}

func (m *shareMember) clone() *shareMember { c := *m; return &c }

// sameSubscription compares what the record of the member says.
func (m *shareMember) sameSubscription(o *shareMember) bool {
	return equalStrings(m.rack, o.rack) && m.clientID == o.clientID && m.clientHost == o.clientHost &&
		slices.Equal(m.topics, o.topics)
}

// sameProgress compares what the record of the current assignment says.
func (m *shareMember) sameProgress(o *shareMember) bool {
	return m.epoch == o.epoch && m.previous == o.previous && m.state == o.state && m.assigned.equal(o.assigned)
}

// put makes m a member, in the place of the one with its id.
func (g *shareGroup) put(m *shareMember) {
	g.drop(m.id)
	g.members[m.id] = m
	count(g.topics, m.topics, 1)
}

// drop removes a member, if it is there.
func (g *shareGroup) drop(id string) {
	if m := g.members[id]; m != nil {
		count(g.topics, m.topics, -1)
		delete(g.members, id)
	}
}

// member returns a member by id.
func (g *shareGroup) member(id string) (*shareMember, error) {
	if m := g.members[id]; m != nil {
		return m, nil
	}
	return nil, model.Explain(kerr.UnknownMemberID, "Member "+id+" is not a member of group "+g.id+".")
}

// sorted are the members by id.
func (g *shareGroup) sorted() []*shareMember {
	return slices.SortedFunc(maps.Values(g.members), func(a, b *shareMember) int { return strings.Compare(a.id, b.id) })
}

// What the offsets and lists ask of it. A share group has no offsets of the usual kind.

const shareType = "share"

func (g *shareGroup) groupType() string    { return shareType }
func (g *shareGroup) protocolType() string { return shareType }
func (g *shareGroup) empty() bool          { return len(g.members) == 0 }

func (g *shareGroup) stateName() string {
	if g.empty() {
		return "Empty"
	}
	return "Stable"
}

func (g *shareGroup) subscribed(string) bool { return false }

func (g *shareGroup) checkCommit(committer) error { return g.notConsumer() }

func (g *shareGroup) checkFetch(*string, int32) error { return g.notConsumer() }

func (g *shareGroup) notConsumer() error {
	return model.Explain(kerr.GroupIDNotFound, "Group "+g.id+" is not a consumer group.")
}
