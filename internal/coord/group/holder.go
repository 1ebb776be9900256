package group

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// holder is a group of a newer kind, as its offsets and lists see it. Classic groups, and
// those that only hold offsets, are in state.groups; a name is that of one group at most.
type holder interface {
	groupType() string    // "consumer", "share"
	protocolType() string // as the type is called in ListGroups
	stateName() string
	// empty reports whether the group has no members.
	empty() bool
	// subscribed reports whether offsets of a topic are kept however old they are. Others
	// count from their commit.
	subscribed(topic string) bool
	// checkCommit returns why the group does not take offsets of this sender.
	checkCommit(c committer) error
	// checkFetch returns why it does not show offsets to this sender; nil and -1 are of
	// whoever does not say.
	checkFetch(memberID *string, epoch int32) error
	// remove writes what deletes the group, which is empty. Its offsets are not its affair.
	remove(p *plan)
}

// committer is who commits offsets. The epoch is a generation for members that use the
// classic protocol.
type committer struct {
	memberID      string
	instanceID    *string
	epoch         int32
	version       int16 // of OffsetCommit
	transactional bool  // by TxnOffsetCommit, whose STALE_MEMBER_EPOCH is ILLEGAL_GENERATION
}

// holder finds a group of a newer kind, nil if there is none of that name.
func (st *state) holder(id string) holder {
	if g := st.consumers[id]; g != nil {
		return g
	}
	if g := st.shares[id]; g != nil {
		return g
	}
	return nil
}

// holders are the names of all groups of the newer kinds.
func (st *state) holders() []string {
	names := slices.Collect(maps.Keys(st.consumers))
	names = slices.AppendSeq(names, maps.Keys(st.shares))
	slices.Sort(names)
	return names
}

// exists reports whether there is a group of any kind.
func (st *state) exists(id string) bool { return st.groups[id] != nil || st.holder(id) != nil }

// listed is a group of a newer kind in ListGroups.
func listed(id string, h holder) kmsg.ListGroupsResponseGroup {
	return kmsg.ListGroupsResponseGroup{
		Group: id, ProtocolType: h.protocolType(), GroupState: h.stateName(), GroupType: h.groupType(),
	}
}
