package group

import (
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/twmb/franz-go/pkg/kerr"
)

// newMemberTimeout is how long a new member may wait for its first generation before
// it counts as gone.
const newMemberTimeout = 5 * time.Minute

// rebalanceOrComplete starts a rebalance, or ends the one that was waiting for the
// member that has just come or gone.
func (st *state) rebalanceOrComplete(t *runtime.Turn, g *group, reason string) {
	if g.phase == preparing {
		st.maybeComplete(t, g)
		return
	}
	st.prepare(t, g, reason)
}

// prepare starts a rebalance: members learn of it by their heartbeats and join again.
// The first rebalance of an empty group waits a little for others to come.
func (st *state) prepare(t *runtime.Turn, g *group, reason string) {
	if g.phase == completing {
		for _, m := range g.members {
			m.assignment = nil
			if m.syncing != nil {
				g.answerSync(t, m, synced{}, kerr.RebalanceInProgress)
				st.armSession(t, g, m)
			}
		}
	}
	clear(g.unsynced)
	t.Disarm(timerKey{kind: syncTimer, group: g.id})
	st.log.Info("group prepares to rebalance", "group", g.id, "state", g.phase.String(), "generation", g.generation, "reason", reason)
	initial := g.phase == empty
	g.to(preparing, t.Now)
	switch {
	case initial:
		g.newcomers = false
		g.delay = max(st.settings().InitialRebalanceDelay, 0)
		g.delayLeft = max(g.rebalanceTimeout()-g.delay, 0)
		t.Arm(timerKey{kind: joinTimer, group: g.id}, t.Now.Add(g.delay))
	case g.allJoined():
		st.complete(t, g)
	default:
		t.Arm(timerKey{kind: joinTimer, group: g.id}, t.Now.Add(g.rebalanceTimeout()))
	}
}

// maybeComplete ends the wait for members if all have come. The wait of an initial
// rebalance is only ended by its timer.
func (st *state) maybeComplete(t *runtime.Turn, g *group) {
	if g.phase == preparing && g.before != empty && g.allJoined() {
		st.complete(t, g)
	}
}

// joinTimeout ends the wait for members, or extends that of an initial rebalance by
// another delay if members came meanwhile, up to the rebalance timeout in all.
func (st *state) joinTimeout(t *runtime.Turn, g *group) {
	if g.phase != preparing {
		return
	}
	if g.before == empty && g.newcomers && g.delayLeft > 0 {
		g.newcomers = false
		next := min(max(st.settings().InitialRebalanceDelay, 0), g.delayLeft)
		g.delay, g.delayLeft = next, max(g.delayLeft-g.delay, 0)
		t.Arm(timerKey{kind: joinTimer, group: g.id}, t.Now.Add(next))
		return
	}
	st.complete(t, g)
}

// complete ends the wait for members and begins the next generation with those who
// came; static members stay even if they did not.
func (st *state) complete(t *runtime.Turn, g *group) {
	t.Disarm(timerKey{kind: joinTimer, group: g.id})
	for _, m := range append([]*member(nil), g.members...) {
		if m.joining == nil && m.instanceID == nil {
			st.log.Info("group member did not join again", "group", g.id, "member", m.id)
			g.drop(t, m, kerr.UnknownMemberID)
		}
	}
	if len(g.members) > 0 && !g.electLeader() {
		st.log.Warn("group waits on: no member joined", "group", g.id)
		t.Arm(timerKey{kind: joinTimer, group: g.id}, t.Now.Add(g.rebalanceTimeout()))
		return
	}
	g.generation++
	clear(g.unsynced)
	if len(g.members) == 0 {
		st.becomeEmpty(t, g)
		return
	}
	st.beginGeneration(t, g)
}

// electLeader makes sure that the leader is among those who joined; it reports whether
// anybody did.
func (g *group) electLeader() bool {
	if m := g.byID[g.leader]; m != nil && m.joining != nil {
		return true
	}
	for _, m := range g.members {
		if m.joining != nil {
			g.leader = m.id
			return true
		}
	}
	return false
}

func (st *state) becomeEmpty(t *runtime.Turn, g *group) {
	g.protocol, g.leader = nil, ""
	g.to(empty, t.Now)
	g.findTopics()
	st.log.Info("group is empty", "group", g.id, "generation", g.generation)
	t.Write(groupRecord(g.id, g.record(nil)))
}

func (st *state) beginGeneration(t *runtime.Turn, g *group) {
	protocol := g.choose()
	g.protocol = &protocol
	g.to(completing, t.Now)
	g.findTopics()
	st.log.Info("group has a new generation", "group", g.id, "generation", g.generation, "members", len(g.members), "protocol", protocol)
	for _, m := range g.members {
		g.answerJoin(t, m, g.joined(m), nil)
		st.armSession(t, g, m)
		m.isNew = false
		g.unsynced[m.id] = true
	}
	t.Arm(timerKey{kind: syncTimer, group: g.id}, t.Now.Add(g.rebalanceTimeout()))
}

// joined is what a member of the present generation is told.
func (g *group) joined(m *member) joined {
	j := joined{memberID: m.id, generation: g.generation, protocolType: g.protocolType, leader: g.leader}
	if g.protocol != nil {
		j.protocol = *g.protocol
	}
	if m.id == g.leader {
		j.members = g.describe()
	}
	return j
}

// syncTimeout removes the members that joined the generation and did not sync.
func (st *state) syncTimeout(t *runtime.Turn, g *group) {
	if g.phase != completing && g.phase != stable || len(g.unsynced) == 0 {
		return
	}
	for _, m := range append([]*member(nil), g.members...) {
		if g.unsynced[m.id] {
			st.log.Info("group member did not sync", "group", g.id, "member", m.id)
			g.drop(t, m, kerr.UnknownMemberID)
		}
	}
	st.prepare(t, g, "members did not sync in time")
}

// expireSession removes a member, or a pending one, that has not been heard of.
func (st *state) expireSession(t *runtime.Turn, g *group, id string) {
	delete(g.outcasts, id)
	if g.pending[id] {
		g.remove(id)
		if g.phase == preparing && g.allJoined() {
			st.complete(t, g)
		}
		return
	}
	m := g.byID[id]
	if m == nil || !m.isNew && (m.joining != nil || m.syncing != nil) {
		return // whoever waits for us is alive; the answer gives it a new session
	}
	st.log.Info("group member has failed", "group", g.id, "member", id)
	g.drop(t, m, kerr.UnknownMemberID)
	switch {
	case g.phase == stable || g.phase == completing:
		st.rebalanceOrComplete(t, g, "session of member "+id+" expired")
	case g.phase == preparing && g.allJoined():
		st.complete(t, g)
	}
}
