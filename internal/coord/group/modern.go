package group

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/coord/group/assign"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
)

// The groups whose members are assigned their partitions by the coordinator: consumer
// groups (KIP-848) and share groups (KIP-932). This file and modern_*.go are what the two
// have in common, to be embedded in a group and in a member of either kind:
//
//	modern         a group: its epoch, the hash of its topics, its target assignment
//	modernMember   a member: its epoch, what it subscribes to, what it may use
//	parts          partitions by topic
//	topicView      the image as groups see it: ids, hashes, what the assignors take
//	plan           what a command is going to write
//	modernKinds    the types of the records of a kind of group
//
// All that they hold is what the log says, and changes in Replay alone. A command decides
// on copies: it makes the member that will be, writes the records that say so, and
// answers from the copy. Only what is called soft belongs to this leadership.

// modern is a group whose assignment the coordinator computes. The group epoch grows with
// every change of members, subscriptions and topics; the target assignment is computed
// for one epoch; members move towards it one by one, each under its own epoch.
//
// Its invariants:
//
//	targetEpoch ≤ epoch: the target is due when it is smaller
//	target has an entry for each member once it was computed with that member
//	topics counts the members that subscribe to a name, and the patterns that match it
type modern struct {
	id          string
	epoch       int32
	hash        int64 // of the topics that it subscribes to
	target      map[string]parts
	targetEpoch int32
	topics      map[string]subscribers

	// Soft: until refreshAt, and unless the epoch is smaller than refreshEpoch, the hash
	// needs not be compared with the topics.
	refreshAt    time.Time
	refreshEpoch int32
}

// subscribers count who wants a topic.
type subscribers struct {
	names    int // members that name it
	patterns int // patterns of the group that match it
}

func newModern(id string) modern {
	return modern{id: id, target: map[string]parts{}, topics: map[string]subscribers{}}
}

// modernMember is a member of such a group, as its records say. It is never changed:
// whoever wants another member makes a copy.
type modernMember struct {
	id                   string
	epoch, previous      int32 // previous is the epoch before the last change
	state                memberState
	instanceID, rack     *string
	clientID, clientHost string
	topics               []string // the names that it subscribes to, sorted, each once
	assigned             parts    // what it may use now
}

// memberState is how far a member is on its way to the target. Its numbers are Kafka's.
type memberState int8

const (
	reconciled memberState = 0   // it has all of the target of its epoch
	unrevoked  memberState = 1   // it must give partitions up before it goes on
	unreleased memberState = 2   // it waits for partitions that others have not given up
	unknown    memberState = 127 // a state of a later version
)

// Epochs with which a member leaves.
const (
	leaveEpoch       = -1
	leaveStaticEpoch = -2 // for a while: its place is kept for a session
)

// settled reports whether the member has all that the target of that epoch gives it.
func (m *modernMember) settled(epoch int32) bool { return m.state == reconciled && m.epoch == epoch }

// to makes the member move to an epoch.
func (m *modernMember) to(epoch int32, s memberState) {
	m.previous, m.epoch, m.state = m.epoch, epoch, s
}

// stale reports whether the hash of the topics should be compared with what they are now.
func (g *modern) stale(now time.Time) bool {
	return !now.Before(g.refreshAt) || g.epoch < g.refreshEpoch
}

// fresh notes that the hash was compared for an epoch, which may be one that is only
// planned: should it not come to pass, the group is stale again.
func (g *modern) fresh(now time.Time, epoch int32) {
	g.refreshAt, g.refreshEpoch = now.Add(refreshInterval), epoch
}

// refreshInterval is Kafka's, 24 days: topics that change make groups stale at once.
const refreshInterval = (1<<31 - 1) * time.Millisecond

// count adds n subscriptions to each of the names.
func count(topics map[string]subscribers, names []string, n int) {
	for _, name := range names {
		s := topics[name]
		if s.names += n; s == (subscribers{}) {
			delete(topics, name)
			continue
		}
		topics[name] = s
	}
}

// countPattern adds n patterns to each of the names.
func countPattern(topics map[string]subscribers, names []string, n int) {
	for _, name := range names {
		s := topics[name]
		if s.patterns += n; s == (subscribers{}) {
			delete(topics, name)
			continue
		}
		topics[name] = s
	}
}

// topicsWith are the group's topics after a member has changed its names.
func (g *modern) topicsWith(was, is []string) map[string]subscribers {
	topics := maps.Clone(g.topics)
	count(topics, was, -1)
	count(topics, is, 1)
	return topics
}

// retarget computes the target assignment for an epoch and writes what is new of it. It
// returns the whole assignment.
func (g *modern) retarget(p *plan, kinds *modernKinds, epoch int32, a assign.Assignor, members []assign.Member, topics map[model.ID]assign.Topic) (assign.Assignment, error) {
	slices.SortFunc(members, func(a, b assign.Member) int { return strings.Compare(a.ID, b.ID) })
	next, err := a.Assign(members, topics)
	if err != nil {
		return nil, err
	}
	for i := range members {
		id := members[i].ID
		if old, ok := g.target[id]; !ok || !old.equal(next[id]) {
			p.write(kinds.targetRecord(g.id, id, next[id]))
		}
	}
	p.write(kinds.targetEpochRecord(g.id, epoch))
	return next, nil
}

// plan gathers what a command on a group is going to write. Nothing is written, and no
// timer moves, if the command fails.
type plan struct {
	t       *runtime.Turn
	records []runtime.Record
	after   []func()
}

func newPlan(t *runtime.Turn) *plan { return &plan{t: t} }

func (p *plan) write(r runtime.Record) { p.records = append(p.records, r) }

// then does something soft, as setting a timer, once the plan is carried out.
func (p *plan) then(do func()) { p.after = append(p.after, do) }

// carryOut writes the records. It refuses all of them if one is larger than the log
// takes.
func (p *plan) carryOut() error {
	for i := range p.records {
		if r := &p.records[i]; len(r.Key)+len(r.Value) >= p.t.MaxBytes {
			return tooLarge(len(r.Key)+len(r.Value), p.t.MaxBytes)
		}
	}
	for _, r := range p.records {
		p.t.Write(r)
	}
	for _, do := range p.after {
		do()
	}
	return nil
}
