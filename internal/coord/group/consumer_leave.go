package group

import (
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// leaveConsumerGroup lets a member go. A static one may say that it will be back: its
// partitions wait for it until its session ends.
func (st *state) leaveConsumerGroup(t *runtime.Turn, req *kmsg.ConsumerGroupHeartbeatRequest) (beat, error) {
	p := newPlan(t)
	g, err := st.consumerGroup(p, req.Group, false)
	if err != nil {
		return beat{}, err
	}
	m, err := g.leaver(req.MemberID, req.InstanceID)
	if err != nil {
		return beat{}, err
	}
	b := beat{memberID: m.id, epoch: req.MemberEpoch}
	if req.InstanceID != nil && req.MemberEpoch == leaveStaticEpoch {
		st.log.Info("static member leaves consumer group for a while", "group", g.id, "member", m.id)
		gone := m.clone()
		gone.epoch, gone.revoking = leaveStaticEpoch, nil
		p.write(consumerCurrentRecord(g.id, gone))
		return b, p.carryOut()
	}
	st.log.Info("member leaves consumer group", "group", g.id, "member", m.id)
	st.fence(p, g, []*consumerMember{m})
	return b, p.carryOut()
}

// leaver finds the member that a request speaks of.
func (g *consumerGroup) leaver(id string, instanceID *string) (*consumerMember, error) {
	if instanceID == nil {
		return g.member(id)
	}
	m := g.staticMember(instanceID)
	switch {
	case m == nil:
		return nil, model.Explain(kerr.UnknownMemberID, "Instance id "+*instanceID+" is unknown.")
	case m.id != id:
		return nil, fencedInstance(id, *instanceID, m.id)
	}
	return m, nil
}

// fence writes that members are gone, which begins a new epoch. If all that stay use the
// classic protocol, the group becomes a classic one.
func (st *state) fence(p *plan, g *consumerGroup, gone []*consumerMember) {
	if len(gone) == 0 {
		return
	}
	for _, m := range gone {
		p.then(func() { disarmConsumer(p.t, g.id, m.id) })
	}
	if st.mayDowngrade(g, gone) && st.downgrade(p, g, gone) {
		return
	}
	topics := g.topicsWith(nil, nil)
	last := map[string]int{}
	for _, m := range gone {
		consumerKinds.removeMember(p, g.id, m.id)
		count(topics, m.topics, -1)
		if m.pattern != "" {
			last[m.pattern]++
		}
	}
	for _, m := range gone { // in the order of members, each pattern once
		if n := last[m.pattern]; n > 0 && n == g.patterns[m.pattern] {
			delete(last, m.pattern)
			p.write(patternTombstone(g.id, m.pattern))
			if r := g.resolved[m.pattern]; r != nil {
				countPattern(topics, r.topics, -1)
			}
		}
	}
	p.write(consumerKinds.epochRecord(g.id, g.epoch+1, st.topics.hash(topics)))
}

// fenceByTimer fences a member whose time is up, if it is still there.
func (st *state) fenceByTimer(t *runtime.Turn, g *consumerGroup, id, why string) {
	m := g.members[id]
	if m == nil {
		return
	}
	st.log.Info("member is fenced from consumer group", "group", g.id, "member", id, "reason", why)
	p := newPlan(t)
	st.fence(p, g, []*consumerMember{m})
	if err := p.carryOut(); err != nil {
		st.log.Error("member cannot be fenced", "group", g.id, "member", id, "error", err)
	}
}

// Timers of a member of a consumer group: its session; what it has for revoking
// partitions; and, if it uses the classic protocol, what it has to join again and to sync.

func (st *state) armConsumerSession(t *runtime.Turn, group, member string, session time.Duration) {
	t.Arm(timerKey{sessionTimer, group, member}, t.Now.Add(session))
}

// armRevocation gives a member its rebalance timeout to revoke partitions.
func (st *state) armRevocation(t *runtime.Turn, group string, m *consumerMember) {
	key := timerKey{revocationTimer, group, m.id}
	if m.state == unrevoked {
		t.Arm(key, t.Now.Add(millis(m.rebalanceMillis)))
		return
	}
	t.Disarm(key)
}

func disarmConsumer(t *runtime.Turn, group, member string) {
	for _, kind := range [...]timerKind{sessionTimer, revocationTimer, rejoinTimer, resyncTimer} {
		t.Disarm(timerKey{kind, group, member})
	}
}

// fireConsumer runs a timer of a member of a consumer group.
func (st *state) fireConsumer(t *runtime.Turn, g *consumerGroup, k timerKey) {
	switch k.kind {
	case sessionTimer:
		st.fenceByTimer(t, g, k.member, "its session ended")
	case revocationTimer:
		// Who has left for a while is not in the epoch any more that the time was for.
		if m := g.members[k.member]; m != nil && m.state == unrevoked && m.epoch >= 0 {
			st.fenceByTimer(t, g, k.member, "it did not revoke partitions in time")
		}
	case rejoinTimer:
		st.fenceByTimer(t, g, k.member, "it did not join again in time")
	case resyncTimer:
		st.fenceByTimer(t, g, k.member, "it did not sync in time")
	}
}

// loadedConsumer sets the timers of a group that has been loaded.
func (st *state) loadedConsumer(t *runtime.Turn, g *consumerGroup) {
	session := st.groupSettings(g.id).ConsumerSession
	for _, m := range g.sorted() {
		st.armConsumerSession(t, g.id, m.id, session)
		if m.classic == nil && m.state == unrevoked {
			st.armRevocation(t, g.id, m)
		}
	}
}
