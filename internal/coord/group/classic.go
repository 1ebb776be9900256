package group

import (
	"slices"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// phase is where a classic group stands. There is no Dead: a group that is deleted is
// gone from the map.
//
//	Empty → PreparingRebalance → CompletingRebalance → Stable
//	            ↑ └────→ Empty          │                │
//	            └───────────────────────┴────────────────┘
type phase int

const (
	empty phase = iota
	preparing
	completing
	stable
)

func (p phase) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable"}[p]
}

// group is a group of the classic protocol, or one that only holds offsets. Its
// invariants:
//
//	members are in the order in which they joined, each id once
//	while there are members, leader is one of them
//	supported counts, for each protocol, the members that support it
//	waiting counts the members whose joining is set
//	generation grows by one with each rebalance
type group struct {
	id    string
	saved *savedGroup // what the log says, nil for a group that only holds offsets

	phase        phase
	before       phase // the phase before this one
	changed      time.Time
	generation   int32
	protocolType string // "" for none
	protocol     *string
	leader       string // "" for none

	members   []*member
	byID      map[string]*member
	static    map[string]*member // by instance id
	supported map[string]int
	bytes     int             // of the members' protocols
	waiting   int             // members that wait for an answer to JoinGroup
	pending   map[string]bool // ids that were given out and not yet used (KIP-394)
	unsynced  map[string]bool // members of this generation that have not sent SyncGroup
	outcasts  map[string]*outcast

	// The initial rebalance waits in steps while members keep coming.
	newcomers bool
	delay     time.Duration
	delayLeft time.Duration

	// topics are what the members subscribe to, if known is set: their subscriptions in
	// the chosen protocol could be read.
	topics map[string]bool
	known  bool
}

func newGroup(id string) *group {
	return &group{
		id:        id,
		byID:      map[string]*member{},
		static:    map[string]*member{},
		supported: map[string]int{},
		pending:   map[string]bool{},
		unsynced:  map[string]bool{},
	}
}

// restore makes the group what the log says, after a load.
func (g *group) restore(now time.Time) {
	s := g.saved
	if s == nil {
		return
	}
	g.generation, g.protocolType, g.protocol = s.generation, s.protocolType, s.protocol
	if s.stateMillis >= 0 {
		g.changed = time.UnixMilli(s.stateMillis)
	}
	for i := range s.members {
		sm := &s.members[i]
		if g.byID[sm.id] != nil || sm.instanceID != nil && g.static[*sm.instanceID] != nil {
			continue // two of one name: the first stays
		}
		g.add(&member{
			id: sm.id, instanceID: sm.instanceID, clientID: sm.clientID, clientHost: sm.clientHost,
			rebalance: millis(sm.rebalanceMillis), session: millis(sm.sessionMillis),
			protocols:  []kmsg.JoinGroupRequestProtocol{{Name: *s.protocol, Metadata: sm.metadata}},
			assignment: sm.assignment,
		})
	}
	if s.leader != nil && g.byID[*s.leader] != nil {
		g.leader = *s.leader
	}
	if len(g.members) > 0 {
		g.phase, g.before = stable, stable
	}
	g.findTopics()
}

// adoptAssignments takes the assignments of the record that has just been replayed.
func (g *group) adoptAssignments() {
	for i := range g.saved.members {
		if m := g.byID[g.saved.members[i].id]; m != nil {
			m.assignment = g.saved.members[i].assignment
		}
	}
}

// record is the group as the log will say it, with the given assignments.
func (g *group) record(assignment func(*member) []byte) *savedGroup {
	s := &savedGroup{protocolType: g.protocolType, generation: g.generation, protocol: g.protocol, stateMillis: g.stateMillis()}
	if g.leader != "" {
		s.leader = &g.leader
	}
	for _, m := range g.members {
		s.members = append(s.members, savedMember{
			id: m.id, instanceID: m.instanceID, clientID: m.clientID, clientHost: m.clientHost,
			rebalanceMillis: int32(m.rebalance.Milliseconds()), sessionMillis: int32(m.session.Milliseconds()),
			metadata: m.metadata(*g.protocol), assignment: assignment(m),
		})
	}
	return s
}

func (g *group) stateMillis() int64 {
	if g.changed.IsZero() {
		return -1
	}
	return g.changed.UnixMilli()
}

func (g *group) to(p phase, now time.Time) {
	g.before, g.phase, g.changed = g.phase, p, now
}

func (g *group) add(m *member) {
	g.members = append(g.members, m)
	g.byID[m.id] = m
	if m.instanceID != nil {
		g.static[*m.instanceID] = m
	}
	g.count(m, 1)
	if g.leader == "" {
		g.leader = m.id
	}
	delete(g.pending, m.id)
}

// count adds n to the support of what a member supports: 1 when it comes, -1 when it
// goes.
func (g *group) count(m *member, n int) {
	g.bytes += n * protocolBytes(m.protocols)
	for name := range m.names() {
		if g.supported[name] += n; g.supported[name] == 0 {
			delete(g.supported, name)
		}
	}
}

// drop removes a member; if it waits for something it is told err.
func (g *group) drop(t *runtime.Turn, m *member, err error) {
	g.answerJoin(t, m, joined{}, err)
	g.answerSync(t, m, synced{}, err)
	g.remove(m.id)
	disarmSession(t, g, m.id)
}

// remove forgets an id, be it a pending one, unknown, or a member's that does not wait.
func (g *group) remove(id string) {
	if m := g.byID[id]; m != nil {
		if m.joining != nil {
			panic("bug: a group member is removed while it waits")
		}
		g.count(m, -1)
		delete(g.byID, id)
		if m.instanceID != nil {
			delete(g.static, *m.instanceID)
		}
		g.members = slices.DeleteFunc(g.members, func(x *member) bool { return x == m })
	}
	if g.leader == id {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].id
		}
	}
	delete(g.pending, id)
	delete(g.unsynced, id)
}

// forgetPending forgets the ids that were given out and not yet used.
func (g *group) forgetPending(t *runtime.Turn) {
	for id := range g.pending {
		disarmSession(t, g, id)
	}
	clear(g.pending)
}

// check returns why a request of this member is not the group's.
func (g *group) check(memberID string, instanceID *string) error {
	if instanceID != nil {
		m := g.static[*instanceID]
		switch {
		case m == nil:
			return kerr.UnknownMemberID
		case m.id != memberID:
			return kerr.FencedInstanceID
		}
	}
	if g.byID[memberID] == nil {
		return kerr.UnknownMemberID
	}
	return nil
}

// allJoined reports whether nobody is left to wait for.
func (g *group) allJoined() bool {
	return len(g.pending) == 0 && g.waiting == len(g.members)
}

// await lets a member wait for an answer to JoinGroup; an earlier request of its, which
// it must have given up, is told to look at the newer one's answer by joining again.
func (g *group) await(t *runtime.Turn, m *member, d *runtime.Deferred[joined]) {
	g.answerJoin(t, m, joined{memberID: m.id}, kerr.RebalanceInProgress)
	m.joining = d
	g.waiting++
}

func (g *group) answerJoin(t *runtime.Turn, m *member, j joined, err error) {
	if m.joining != nil {
		m.joining.Give(t, j, err)
		m.joining = nil
		g.waiting--
	}
}

func (g *group) answerSync(t *runtime.Turn, m *member, s synced, err error) {
	if m.syncing != nil {
		m.syncing.Give(t, s, err)
		m.syncing = nil
	}
}

// rebalanceTimeout is the longest that a member asked for.
func (g *group) rebalanceTimeout() time.Duration {
	var longest time.Duration
	for _, m := range g.members {
		longest = max(longest, m.rebalance)
	}
	return longest
}

// supports reports whether a member with these protocols fits into the group.
func (g *group) supports(protocolType string, protocols []kmsg.JoinGroupRequestProtocol) bool {
	if g.phase == empty {
		return protocolType != "" && len(protocols) > 0
	}
	if protocolType != g.protocolType {
		return false
	}
	return slices.ContainsFunc(protocols, func(p kmsg.JoinGroupRequestProtocol) bool {
		return g.supported[p.Name] == len(g.members)
	})
}

// choose returns the protocol that most members prefer among those that all support;
// of equals, the one that the longest member prefers.
func (g *group) choose() string {
	votes := map[string]int{}
	best := ""
	for _, m := range g.members {
		votes[m.vote(g)]++
	}
	for _, m := range g.members {
		if v := m.vote(g); best == "" || votes[v] > votes[best] {
			best = v
		}
	}
	return best
}

// findTopics reads what the members subscribe to in the chosen protocol.
func (g *group) findTopics() {
	g.topics, g.known = nil, false
	if g.protocolType != consumerProtocol || len(g.members) > 0 && g.protocol == nil {
		return
	}
	topics := map[string]bool{}
	for _, m := range g.members {
		names, err := subscription(m.metadata(*g.protocol))
		if err != nil {
			return
		}
		for _, name := range names {
			topics[name] = true
		}
	}
	g.topics, g.known = topics, true
}

// subscribed reports whether the group consumes a topic, as far as can be known.
func (g *group) subscribed(topic string) bool {
	if !g.known {
		return g.protocolType == consumerProtocol
	}
	return g.topics[topic]
}

// describe lists the members for the leader.
func (g *group) describe() []kmsg.JoinGroupResponseMember {
	members := make([]kmsg.JoinGroupResponseMember, 0, len(g.members))
	for _, m := range g.members {
		members = append(members, kmsg.JoinGroupResponseMember{
			MemberID: m.id, InstanceID: m.instanceID, ProtocolMetadata: m.metadata(*g.protocol),
		})
	}
	return members
}
