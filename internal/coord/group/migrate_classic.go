package group

import (
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Members of a consumer group that speak the classic protocol. None of them leads: each
// joins, syncs and gets its part of the target, under its own epoch as a generation. A
// member that has to revoke partitions, or to get others, is told REBALANCE_IN_PROGRESS
// until it joins again; that must not take longer than its rebalance timeout. What it has
// it says in its subscription; one of the eager protocol has nothing whenever it joins.

// joinConsumerGroup is JoinGroup of a consumer group that has members.
func (st *state) joinConsumerGroup(t *runtime.Turn, g *consumerGroup, c Caller, req *kmsg.JoinGroupRequest, d *runtime.Deferred[joined]) {
	j, err := st.joinAsClassic(t, g, c, req)
	d.Give(t, j, err)
}

func (st *state) joinAsClassic(t *runtime.Turn, g *consumerGroup, c Caller, req *kmsg.JoinGroupRequest) (joined, error) {
	id, fresh := req.MemberID, req.MemberID == ""
	switch {
	case fresh && req.InstanceID != nil:
		id = st.newMemberID(*req.InstanceID)
	case fresh:
		id = st.newMemberID(c.ClientID)
	}
	failed := joined{memberID: req.MemberID}
	if err := g.checkRoom(id, req.InstanceID, st.settings().ConsumerMaxSize); err != nil {
		return failed, err
	}
	if !g.supports(req.ProtocolType, req.Protocols) {
		return failed, kerr.InconsistentGroupProtocol
	}
	if fresh && req.InstanceID == nil && req.Version >= 4 {
		return joined{memberID: id}, kerr.MemberIDRequired // KIP-394; nothing is remembered of it
	}
	s, err := parseSubscription(req.Protocols[0].Metadata) // all of them say the same
	if err != nil {
		return failed, kerr.InconsistentGroupProtocol
	}
	h := &advance{state: st, plan: newPlan(t), group: g, reports: true, has: st.topics.parts(s.owned)}
	replaced := g.staticMember(req.InstanceID)
	if req.InstanceID == nil {
		err = h.dynamic(id, true)
	} else {
		err = h.static(id, *req.InstanceID, fresh)
	}
	if err != nil {
		return failed, err
	}
	h.next = h.was.clone()
	updateClassic(h.next, c, req, s)
	if st.mayDowngradeFor(g, replaced) {
		return st.joinAndDowngrade(h, replaced)
	}
	if err := h.step(); err != nil {
		return failed, err
	}
	m := h.next
	h.plan.then(func() {
		t.Disarm(timerKey{rejoinTimer, g.id, m.id})
		st.armConsumerSession(t, g.id, m.id, millis(req.SessionTimeoutMillis))
		t.Arm(timerKey{resyncTimer, g.id, m.id}, t.Now.Add(millis(m.rebalanceMillis)))
	})
	if err := h.plan.carryOut(); err != nil {
		return failed, err
	}
	return m.joined(), nil
}

// joinAndDowngrade lets a member take the place of the last one that used the consumer
// protocol. If it subscribes to the same topics nothing has to move.
func (st *state) joinAndDowngrade(h *advance, replaced *consumerMember) (joined, error) {
	failed := joined{memberID: h.next.id}
	bump, err := h.resubscribe()
	if err != nil {
		return failed, err
	}
	if !bump {
		if err := h.reconcile(h.group.targetEpoch, h.group.target[replaced.id]); err != nil {
			return failed, err
		}
	}
	if err := st.downgradeFor(h.plan, h.group, replaced, h.next, bump); err != nil {
		return failed, err
	}
	if err := h.plan.carryOut(); err != nil {
		return failed, err
	}
	return h.next.joined(), nil
}

// updateClassic takes what a JoinGroup says of its member.
func updateClassic(m *consumerMember, c Caller, req *kmsg.JoinGroupRequest, s *consumerSubscription) {
	if req.InstanceID != nil {
		m.instanceID = req.InstanceID
	}
	if s.rack != nil {
		m.rack = s.rack
	}
	m.rebalanceMillis = req.RebalanceTimeoutMillis
	if req.Version == 0 {
		m.rebalanceMillis = req.SessionTimeoutMillis
	}
	m.topics, m.pattern = s.names(), ""
	m.clientID, m.clientHost = c.ClientID, c.ClientHost
	m.classic = &classicMember{sessionMillis: req.SessionTimeoutMillis}
	for _, p := range req.Protocols {
		m.classic.protocols = append(m.classic.protocols, classicProtocol{p.Name, append([]byte{}, p.Metadata...)})
	}
}

// joined is what a member is told that has joined.
func (m *consumerMember) joined() joined {
	return joined{memberID: m.id, generation: m.epoch, protocolType: consumerProtocol, protocol: m.classic.protocols[0].name}
}

// supports reports whether one of the protocols is known to all members that use any.
func (g *consumerGroup) supports(protocolType string, protocols []kmsg.JoinGroupRequestProtocol) bool {
	if protocolType != consumerProtocol {
		return false
	}
	for _, p := range protocols {
		if g.protocols[p.Name] == g.classics {
			return true
		}
	}
	return false
}

// classicMember finds the member of a request of the classic protocol, and checks that the
// request is of its generation.
func (g *consumerGroup) classicMember(id string, instanceID *string, generation int32) (*consumerMember, error) {
	m, err := g.leaver(id, instanceID)
	switch {
	case err != nil:
		return nil, err
	case m.classic == nil:
		return nil, model.Explain(kerr.UnknownMemberID, "Member "+id+" does not use the classic protocol.")
	case m.epoch != generation:
		return nil, kerr.IllegalGeneration
	}
	return m, nil
}

// syncConsumerGroup is SyncGroup of a consumer group: the member is told what it may use.
func (st *state) syncConsumerGroup(t *runtime.Turn, g *consumerGroup, req *kmsg.SyncGroupRequest) (synced, error) {
	m, err := g.classicMember(req.MemberID, req.InstanceID, req.Generation)
	if err != nil {
		return synced{}, err
	}
	protocol := m.classic.protocols[0]
	if req.ProtocolType != nil && *req.ProtocolType != consumerProtocol || req.Protocol != nil && *req.Protocol != protocol.name {
		return synced{}, kerr.InconsistentGroupProtocol
	}
	if g.epoch > m.epoch && m.state != unrevoked { // who revokes has joined already, and joins again after it
		st.armRejoin(t, g, m)
		return synced{}, kerr.RebalanceInProgress
	}
	t.Disarm(timerKey{resyncTimer, g.id, m.id})
	st.armConsumerSession(t, g.id, m.id, millis(m.classic.sessionMillis))
	return synced{protocolType: consumerProtocol, protocol: protocol.name, assignment: st.topics.assignment(m.assigned, protocol.metadata)}, nil
}

// heartbeatConsumerGroup is Heartbeat of a consumer group.
func (st *state) heartbeatConsumerGroup(t *runtime.Turn, g *consumerGroup, req *kmsg.HeartbeatRequest) error {
	m, err := g.classicMember(req.MemberID, req.InstanceID, req.Generation)
	if err != nil {
		return err
	}
	st.armConsumerSession(t, g.id, m.id, millis(m.classic.sessionMillis))
	if m.epoch < g.epoch || m.state == unrevoked || m.state == unreleased && !g.waits(m) || st.topicsMoved(t, g) {
		st.armRejoin(t, g, m)
		return kerr.RebalanceInProgress
	}
	return nil
}

// topicsMoved reports whether the topics of the group are not what they were for its epoch.
// A heartbeat of the consumer protocol would begin another one; if no member uses that, one
// has to join again for it. Kafka waits here until somebody does.
func (st *state) topicsMoved(t *runtime.Turn, g *consumerGroup) bool {
	if g.classics < len(g.members) || !g.stale(t.Now) {
		return false
	}
	if st.topics.hash(g.topics) != g.hash {
		return true
	}
	g.fresh(t.Now, g.epoch)
	return false
}

// armRejoin gives a member its rebalance timeout to join again, from when it was first
// told to.
func (st *state) armRejoin(t *runtime.Turn, g *consumerGroup, m *consumerMember) {
	if key := (timerKey{rejoinTimer, g.id, m.id}); !t.Armed(key) {
		t.Arm(key, t.Now.Add(millis(m.rebalanceMillis)))
	}
}

// waits reports whether some of the member's target is still with others.
func (g *consumerGroup) waits(m *consumerMember) bool {
	for topic, partitions := range g.target[m.id] {
		_, missing := split(partitions, m.assigned[topic])
		for _, p := range missing {
			if _, owned := g.owners[topic][p]; owned {
				return true
			}
		}
	}
	return false
}

// leaveAsClassic is LeaveGroup of a consumer group: it removes each of the leavers and says
// for each why not.
func (st *state) leaveAsClassic(t *runtime.Turn, g *consumerGroup, leavers []kmsg.LeaveGroupRequestMember) ([]error, error) {
	errs := make([]error, len(leavers))
	var gone []*consumerMember
	for i, l := range leavers {
		m, err := g.leaver(l.MemberID, l.InstanceID)
		if s := g.staticMember(l.InstanceID); l.MemberID == "" && s != nil {
			m, err = s, nil // an admin names the instance alone
		}
		if errs[i] = err; err == nil && !has(gone, m) {
			st.log.Info("member leaves consumer group", "group", g.id, "member", m.id)
			gone = append(gone, m)
		}
	}
	p := newPlan(t)
	st.fence(p, g, gone)
	return errs, p.carryOut()
}
