package group

import (
	"maps"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/coord/group/assign"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// consumerGroup is a group of the consumer protocol (KIP-848). Some of its members may
// still speak the classic protocol, while the group migrates.
//
// Its invariants:
//
//	a partition has one owner at most, and no other member is given it before that lets go
//	what the counts count follows from the members
type consumerGroup struct {
	modern
	members   map[string]*consumerMember
	static    map[string]string             // member by instance id
	assignors map[string]int                // members that ask for an assignor
	owners    map[model.ID]map[int32]string // who uses a partition, or has yet to revoke it
	patterns  map[string]int                // members that subscribe to a regular expression
	resolved  map[string]*resolvedPattern   // what those match
	classics  int                           // members that use the classic protocol
	protocols map[string]int                // of those, how many support a protocol
	oldTopics bool                          // the log has a record that versions before 4.0 wrote

	resolving bool // soft: the patterns are being matched
}

// consumerMember is a member of a consumer group. It is never changed.
type consumerMember struct {
	modernMember
	rebalanceMillis int32
	pattern         string  // the regular expression that it subscribes to, "" for none
	assignor        *string // that it asks for
	revoking        parts   // what it must give up before it goes on
	classic         *classicMember
}

// classicMember is what is known besides of a member that uses the classic protocol.
type classicMember struct {
	sessionMillis int32
	protocols     []classicProtocol
}

type classicProtocol struct {
	name     string
	metadata []byte
}

// resolvedPattern is what a regular expression matched in an image.
type resolvedPattern struct {
	topics  []string // sorted
	version int64    // of the image
	millis  int64
}

const (
	noRebalanceTimeout = -1
	newMemberPrevious  = -1
)

func newConsumerGroup(id string) *consumerGroup {
	return &consumerGroup{
		modern:    newModern(id),
		members:   map[string]*consumerMember{},
		static:    map[string]string{},
		assignors: map[string]int{},
		owners:    map[model.ID]map[int32]string{},
		patterns:  map[string]int{},
		resolved:  map[string]*resolvedPattern{},
		protocols: map[string]int{},
	}
}

// newConsumerMember is a member that has not joined yet.
func newConsumerMember(id string) *consumerMember {
	return &consumerMember{modernMember: modernMember{id: id, previous: newMemberPrevious}, rebalanceMillis: noRebalanceTimeout}
}

func (m *consumerMember) clone() *consumerMember { c := *m; return &c }

// sameProgress compares what the record of the current assignment says.
func (m *consumerMember) sameProgress(o *consumerMember) bool {
	return m.id == o.id && m.epoch == o.epoch && m.previous == o.previous && m.state == o.state &&
		m.assigned.equal(o.assigned) && m.revoking.equal(o.revoking)
}

// sameSubscription compares what the record of the member says.
func (m *consumerMember) sameSubscription(o *consumerMember) bool {
	return m.id == o.id && equalStrings(m.instanceID, o.instanceID) && equalStrings(m.rack, o.rack) &&
		m.clientID == o.clientID && m.clientHost == o.clientHost && m.rebalanceMillis == o.rebalanceMillis &&
		slices.Equal(m.topics, o.topics) && m.pattern == o.pattern && equalStrings(m.assignor, o.assignor) &&
		m.classic.same(o.classic)
}

func (c *classicMember) same(o *classicMember) bool {
	if c == nil || o == nil {
		return c == o
	}
	return c.sessionMillis == o.sessionMillis && slices.EqualFunc(c.protocols, o.protocols, func(a, b classicProtocol) bool {
		return a.name == b.name && string(a.metadata) == string(b.metadata)
	})
}

func equalStrings(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// put makes m a member, in the place of the one with its id.
func (g *consumerGroup) put(m *consumerMember) {
	old := g.members[m.id]
	g.leaves(old)
	g.members[m.id] = m
	count(g.topics, m.topics, 1)
	tally(g.assignors, m.assignor, 1)
	if m.pattern != "" {
		add(g.patterns, m.pattern, 1)
	}
	if m.instanceID != nil {
		g.static[*m.instanceID] = m.id
	}
	if m.classic != nil {
		g.classics++
		for _, p := range m.classic.protocols {
			add(g.protocols, p.name, 1)
		}
	}
	g.own(m.assigned, m.id)
	g.own(m.revoking, m.id)
}

// drop removes a member.
func (g *consumerGroup) drop(id string) {
	if m := g.members[id]; m != nil {
		g.leaves(m)
		delete(g.members, id)
	}
}

// leaves takes a member, which may be nil, out of all counts.
func (g *consumerGroup) leaves(m *consumerMember) {
	if m == nil {
		return
	}
	count(g.topics, m.topics, -1)
	tally(g.assignors, m.assignor, -1)
	if m.pattern != "" {
		add(g.patterns, m.pattern, -1)
	}
	if m.instanceID != nil && g.static[*m.instanceID] == m.id {
		delete(g.static, *m.instanceID)
	}
	if m.classic != nil {
		g.classics--
		for _, p := range m.classic.protocols {
			add(g.protocols, p.name, -1)
		}
	}
	g.disown(m.assigned, m.id)
	g.disown(m.revoking, m.id)
}

func add(counts map[string]int, key string, n int) {
	if counts[key] += n; counts[key] == 0 {
		delete(counts, key)
	}
}

func tally(counts map[string]int, key *string, n int) {
	if key != nil {
		add(counts, *key, n)
	}
}

func (g *consumerGroup) own(p parts, id string) {
	for topic, partitions := range p {
		owners := g.owners[topic]
		if owners == nil {
			owners = make(map[int32]string, len(partitions))
			g.owners[topic] = owners
		}
		for _, n := range partitions {
			owners[n] = id
		}
	}
}

// disown frees what is the member's. A partition that has another owner by now stays its:
// records of static members that are replaced come in that order.
func (g *consumerGroup) disown(p parts, id string) {
	for topic, partitions := range p {
		owners := g.owners[topic]
		for _, n := range partitions {
			if owners[n] == id {
				delete(owners, n)
			}
		}
		if len(owners) == 0 {
			delete(g.owners, topic)
		}
	}
}

// resolve notes what a pattern matches, nil for nothing any more.
func (g *consumerGroup) resolve(pattern string, r *resolvedPattern) {
	if old := g.resolved[pattern]; old != nil {
		countPattern(g.topics, old.topics, -1)
		delete(g.resolved, pattern)
	}
	if r != nil {
		countPattern(g.topics, r.topics, 1)
		g.resolved[pattern] = r
	}
}

// subscription are the names that a member subscribes to, by itself and by its pattern:
// a pattern that is not resolved yet matches nothing.
func (g *consumerGroup) subscription(m *consumerMember) []string {
	r := g.resolved[m.pattern]
	switch {
	case m.pattern == "" || r == nil || len(r.topics) == 0:
		return m.topics
	case len(m.topics) == 0:
		return r.topics
	}
	both := slices.Concat(m.topics, r.topics)
	slices.Sort(both)
	return slices.Compact(both)
}

// member returns a member by id.
func (g *consumerGroup) member(id string) (*consumerMember, error) {
	if m := g.members[id]; m != nil {
		return m, nil
	}
	return nil, model.Explain(kerr.UnknownMemberID, "Member "+id+" is not a member of group "+g.id+".")
}

// staticMember returns the member of an instance id, nil for none.
func (g *consumerGroup) staticMember(instanceID *string) *consumerMember {
	if instanceID == nil {
		return nil
	}
	return g.members[g.static[*instanceID]]
}

// chooseAssignor is what most members ask for once was has become is, of equals the first
// in the broker's order; the broker's first if nobody asks.
func (g *consumerGroup) chooseAssignor(offered []assign.Assignor, was, is *consumerMember) assign.Assignor {
	votes := maps.Clone(g.assignors)
	if was != nil {
		tally(votes, was.assignor, -1)
	}
	if is != nil {
		tally(votes, is.assignor, 1)
	}
	best := offered[0]
	for _, a := range offered {
		if votes[a.Name()] > votes[best.Name()] {
			best = a
		}
	}
	return best
}

// sorted are the members by id.
func (g *consumerGroup) sorted() []*consumerMember {
	return slices.SortedFunc(maps.Values(g.members), func(a, b *consumerMember) int { return strings.Compare(a.id, b.id) })
}

// What the offsets and lists ask of it.

const consumerType = "consumer"

func (g *consumerGroup) groupType() string    { return consumerType }
func (g *consumerGroup) protocolType() string { return consumerProtocol }
func (g *consumerGroup) empty() bool          { return len(g.members) == 0 }

func (g *consumerGroup) stateName() string {
	switch {
	case g.empty():
		return "Empty"
	case g.epoch > g.targetEpoch:
		return "Assigning"
	}
	for _, m := range g.members {
		if !m.settled(g.targetEpoch) {
			return "Reconciling"
		}
	}
	return "Stable"
}

func (g *consumerGroup) subscribed(topic string) bool {
	_, ok := g.topics[topic]
	return ok
}

func (g *consumerGroup) checkCommit(c committer) error {
	if c.epoch < 0 && g.empty() {
		return nil // by hand, or of a consumer that is in no group
	}
	if c.transactional && c.epoch == -1 && c.memberID == "" && c.instanceID == nil {
		return nil // who says nothing of itself may, as ever (KIP-447)
	}
	m, err := g.member(c.memberID)
	if err != nil {
		return err
	}
	if !c.transactional && m.classic == nil && c.version < 9 {
		return kerr.UnsupportedVersion
	}
	err = m.checkEpoch(c.epoch)
	if c.transactional && err == error(kerr.StaleMemberEpoch) {
		return kerr.IllegalGeneration
	}
	return err
}

func (g *consumerGroup) checkFetch(memberID *string, epoch int32) error {
	if memberID == nil && epoch < 0 {
		return nil
	}
	if memberID == nil {
		return kerr.UnknownMemberID
	}
	m, err := g.member(*memberID)
	if err != nil {
		return err
	}
	return m.checkEpoch(epoch)
}

// checkEpoch returns why an epoch is not the member's, which is a generation to members
// that use the classic protocol.
func (m *consumerMember) checkEpoch(epoch int32) error {
	switch {
	case epoch == m.epoch:
		return nil
	case m.classic != nil:
		return kerr.IllegalGeneration
	}
	return kerr.StaleMemberEpoch
}
