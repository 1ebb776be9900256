package group

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/coord/share"
)

// state is the machine of one partition of __consumer_offsets: its groups and their
// offsets. Offsets and groups of the newer kinds change in Replay alone. Of a classic
// group the log holds the last settled generation (saved); who joins, who waits and which
// state the group is in belong to this leadership and change while commands run.
type state struct {
	settings func() Settings
	config   func(group string) GroupConfig
	newID    func() string
	ask      func(resolution) // has patterns matched
	log      *slog.Logger

	groups    map[string]*group // classic ones, and those that only hold offsets
	consumers map[string]*consumerGroup
	shares    map[string]*shareGroup
	tries     map[share.Key]try // soft, and may be older than the group that they are for
	offsets   offsets
	topics    *topicView
	newTopics int64          // the newest image that brought topics, as far as is known
	live      bool           // everything has been replayed
	skipped   map[int16]bool // types of records that belong to other kinds of groups
}

// doors are what a state needs of the outside.
type doors struct {
	settings func() Settings
	config   func(group string) GroupConfig // nil: no group has settings of its own
	image    func() *metadata.Image         // nil: there are no topics
	newID    func() string
	ask      func(resolution)
	log      *slog.Logger
}

func newState(d doors) *state {
	if d.config == nil {
		d.config = func(string) GroupConfig { return GroupConfig{} }
	}
	return &state{
		settings:  d.settings,
		config:    d.config,
		newID:     d.newID,
		ask:       d.ask,
		log:       d.log,
		groups:    map[string]*group{},
		consumers: map[string]*consumerGroup{},
		shares:    map[string]*shareGroup{},
		tries:     map[share.Key]try{},
		offsets:   newOffsets(),
		topics:    newTopicView(d.image),
		skipped:   map[int16]bool{},
	}
}

// look takes the newest image of the cluster for the command that begins.
func (st *state) look() { st.topics.look() }

// Replay takes the next record of the log.
func (st *state) Replay(e runtime.Entry) error {
	if e.Control {
		return st.replayMarker(e)
	}
	k, err := parseKey(e.Key)
	if err != nil {
		return err
	}
	switch k.kind {
	case keyLegacyOffset, keyOffset:
		return st.replayOffset(k, e)
	case keyGroup:
		return st.replayGroup(k.group, e.Value)
	case keyConsumerEpoch, keyConsumerTopics, keyConsumerMember, keyConsumerTargetEpoch, keyConsumerTarget, keyConsumerCurrent, keyConsumerPattern:
		return st.replayConsumer(k, e.Value)
	case keyShareEpoch, keyShareMember, keyShareTargetEpoch, keyShareTarget, keyShareCurrent, keyShareStates:
		return st.replayShare(k, e.Value)
	}
	if !st.skipped[k.kind] {
		st.skipped[k.kind] = true
		st.log.Warn("records of an unknown type are left alone", "type", k.kind, "offset", e.Offset)
	}
	return nil
}

func (st *state) replayGroup(id string, value []byte) error {
	if value == nil {
		delete(st.groups, id)
		return nil
	}
	saved, err := parseGroup(value)
	if err != nil {
		return fmt.Errorf("group %q: %w", id, err)
	}
	delete(st.consumers, id) // it was downgraded, or was empty
	delete(st.shares, id)
	g := st.groups[id]
	if g == nil {
		g = newGroup(id)
		st.groups[id] = g
	}
	g.saved = saved
	if st.live {
		g.adoptAssignments()
	}
	return nil
}

// Loaded makes groups of what was replayed; every member has a whole session to report.
func (st *state) Loaded(t *runtime.Turn) {
	st.live = true
	st.look()
	st.newTopics = st.topics.image.Offset
	for _, id := range slices.Sorted(maps.Keys(st.consumers)) {
		st.loadedConsumer(t, st.consumers[id])
	}
	for _, id := range slices.Sorted(maps.Keys(st.shares)) {
		st.loadedShare(t, st.shares[id])
	}
	for _, id := range slices.Sorted(maps.Keys(st.groups)) {
		g := st.groups[id]
		g.restore(t.Now)
		for _, m := range g.members {
			st.armSession(t, g, m)
		}
	}
	t.Arm(timerKey{kind: expiryTimer}, t.Now.Add(st.settings().RetentionCheckInterval))
}

type timerKind uint8

const (
	sessionTimer    timerKind = iota // a member, or one that is pending
	joinTimer                        // the end of a group's wait for members
	syncTimer                        // the end of its wait for their SyncGroup
	expiryTimer                      // the next look for old offsets
	revocationTimer                  // of a consumer group: a member must have revoked partitions
	rejoinTimer                      // of a member there that uses the classic protocol: it must have joined again
	resyncTimer                      // and must have sent SyncGroup
)

// timerKey names a timer; member counts for those of members only.
type timerKey struct {
	kind   timerKind
	group  string
	member string
}

// Fire runs a timer that is due.
func (st *state) Fire(t *runtime.Turn, key any) {
	st.look()
	k := key.(timerKey)
	if k.kind == expiryTimer {
		st.expire(t)
		t.Arm(k, t.Now.Add(st.settings().RetentionCheckInterval))
		return
	}
	if g := st.consumers[k.group]; g != nil {
		st.fireConsumer(t, g, k)
		return
	}
	if g := st.shares[k.group]; g != nil {
		st.fireShare(t, g, k.member)
		return
	}
	g := st.groups[k.group]
	if g == nil {
		return
	}
	switch k.kind {
	case sessionTimer:
		st.expireSession(t, g, k.member)
	case joinTimer:
		st.joinTimeout(t, g)
	case syncTimer:
		st.syncTimeout(t, g)
	}
}

func (st *state) armSession(t *runtime.Turn, g *group, m *member) {
	t.Arm(timerKey{sessionTimer, g.id, m.id}, t.Now.Add(m.session))
}

func disarmSession(t *runtime.Turn, g *group, memberID string) {
	t.Disarm(timerKey{sessionTimer, g.id, memberID})
}

func millis(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }
