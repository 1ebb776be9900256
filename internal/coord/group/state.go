package group

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
)

// state is the machine of one partition of __consumer_offsets: its groups and their
// offsets. Offsets change in Replay alone. Of a classic group the log holds the last
// settled generation (saved); who joins, who waits and which state the group is in
// belong to this leadership and change while commands run.
type state struct {
	settings func() Settings
	newID    func() string
	log      *slog.Logger

	groups  map[string]*group
	offsets offsets
	live    bool           // everything has been replayed
	skipped map[int16]bool // types of records that belong to other kinds of groups
}

func newState(settings func() Settings, newID func() string, log *slog.Logger) *state {
	return &state{
		settings: settings,
		newID:    newID,
		log:      log,
		groups:   map[string]*group{},
		offsets:  newOffsets(),
		skipped:  map[int16]bool{},
	}
}

// Replay takes the next record of the log.
func (st *state) Replay(e runtime.Entry) error {
	if e.Control {
		return st.replayMarker(e)
	}
	k, err := parseKey(e.Key)
	if err != nil {
		return err
	}
	switch {
	case !k.known():
		if !st.skipped[k.kind] {
			st.skipped[k.kind] = true
			st.log.Warn("records of an unknown type are left alone", "type", k.kind, "offset", e.Offset)
		}
		return nil
	case k.kind == keyGroup:
		return st.replayGroup(k.group, e.Value)
	}
	return st.replayOffset(k, e)
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
	sessionTimer timerKind = iota // a member, or one that is pending
	joinTimer                     // the end of a group's wait for members
	syncTimer                     // the end of its wait for their SyncGroup
	expiryTimer                   // the next look for old offsets
)

// timerKey names a timer; member counts for sessionTimer only.
type timerKey struct {
	kind   timerKind
	group  string
	member string
}

// Fire runs a timer that is due.
func (st *state) Fire(t *runtime.Turn, key any) {
	k := key.(timerKey)
	if k.kind == expiryTimer {
		st.expire(t)
		t.Arm(k, t.Now.Add(st.settings().RetentionCheckInterval))
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
