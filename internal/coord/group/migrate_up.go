package group

import (
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A live classic group becomes a consumer group when a member of the consumer protocol
// joins it. Its members stay, and go on speaking the classic protocol: what the leader
// assigned last is their target and what they have.

// upgrade writes a consumer group in the place of a classic one and returns what it will
// be. Who waits is told to join again: the member that joins begins a rebalance.
func (st *state) upgrade(p *plan, classic *group) (*consumerGroup, error) {
	if err := st.mayUpgrade(classic); err != nil {
		return nil, err
	}
	g := newConsumerGroup(classic.id)
	g.epoch, g.targetEpoch = classic.generation, classic.generation
	for _, m := range classic.members {
		next, err := st.fromClassic(classic, m)
		if err != nil {
			st.log.Warn("classic group cannot become a consumer group", "group", classic.id, "member", m.id, "error", err)
			return nil, err
		}
		g.target[next.id] = next.assigned
		g.put(next)
	}
	g.hash = st.topics.hash(g.topics)
	p.write(groupTombstone(classic.id))
	g.create(p)
	p.then(func() {
		st.log.Info("classic group becomes a consumer group", "group", g.id, "members", len(g.members))
		st.dissolve(p, classic)
		for _, m := range g.sorted() {
			st.armConsumerSession(p.t, g.id, m.id, millis(m.classic.sessionMillis))
		}
	})
	return g, nil
}

func (st *state) mayUpgrade(classic *group) error {
	why := ""
	set := st.settings()
	switch {
	case set.ConsumerMigration != MigrateBothWays && set.ConsumerMigration != MigrateUp:
		why = "online upgrade is disabled"
	case classic.protocolType != consumerProtocol:
		why = "the group does not use the consumer embedded protocol"
	case len(classic.members) > set.ConsumerMaxSize:
		why = "the group size exceeds the consumer group maximum size"
	default:
		return nil
	}
	return cannotUpgrade(classic, why)
}

func cannotUpgrade(classic *group, why string) error {
	return model.Explain(kerr.GroupIDNotFound, "Cannot upgrade classic group "+classic.id+" to consumer group because "+why+".")
}

// dissolve ends what a classic group does besides its records.
func (st *state) dissolve(p *plan, classic *group) {
	classic.forgetPending(p.t)
	for _, m := range classic.members {
		classic.answerJoin(p.t, m, joined{memberID: m.id}, kerr.RebalanceInProgress)
		classic.answerSync(p.t, m, synced{}, kerr.RebalanceInProgress)
	}
	p.t.Disarm(timerKey{kind: joinTimer, group: classic.id})
	p.t.Disarm(timerKey{kind: syncTimer, group: classic.id})
}

// fromClassic makes a member of a consumer group of one of a classic group.
func (st *state) fromClassic(classic *group, m *member) (*consumerMember, error) {
	next := newConsumerMember(m.id)
	next.epoch, next.previous = classic.generation, classic.generation
	next.instanceID, next.clientID, next.clientHost = m.instanceID, m.clientID, m.clientHost
	next.rebalanceMillis = int32(m.rebalance.Milliseconds())
	next.classic = &classicMember{sessionMillis: int32(m.session.Milliseconds())}
	for _, pr := range m.protocols {
		next.classic.protocols = append(next.classic.protocols, classicProtocol{pr.Name, pr.Metadata})
	}
	protocol := classic.choose()
	if classic.protocol != nil {
		protocol = *classic.protocol
	}
	s, err := parseSubscription(m.metadata(protocol))
	if err != nil {
		return nil, cannotUpgrade(classic, "the embedded consumer protocol is malformed")
	}
	next.topics, next.rack = s.names(), s.rack
	a, err := parseAssignment(m.assignment)
	switch {
	case err != nil:
		return nil, cannotUpgrade(classic, "the embedded consumer protocol is malformed")
	case a.userData > 0: // it would be lost
		return nil, model.Explain(kerr.GroupIDNotFound, fmt.Sprintf("Cannot upgrade classic group %s to consumer group because an unsupported custom assignor is in use. "+
			"Please refer to the documentation or switch to a default assignor before re-attempting the upgrade.", classic.id))
	}
	next.assigned = st.topics.parts(a.partitions)
	return next, nil
}
