package group

import (
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A consumer group becomes a classic one when the last member leaves that speaks the
// consumer protocol, or is a static one whose successor does not. Its target is what the
// classic group was assigned last.

// mayDowngrade reports whether the group may become classic once these members are gone.
func (st *state) mayDowngrade(g *consumerGroup, gone []*consumerMember) bool {
	classics := g.classics
	for _, m := range gone {
		if m.classic != nil {
			classics--
		}
	}
	stay := len(g.members) - len(gone)
	return stay > 0 && classics == stay && st.downgradeAllowed(g, stay)
}

// mayDowngradeFor is mayDowngrade for a static member whose successor is classic.
func (st *state) mayDowngradeFor(g *consumerGroup, replaced *consumerMember) bool {
	return replaced != nil && replaced.classic == nil && g.classics == len(g.members)-1 && st.downgradeAllowed(g, len(g.members))
}

func (st *state) downgradeAllowed(g *consumerGroup, members int) bool {
	set, why := st.settings(), ""
	switch {
	case set.ConsumerMigration != MigrateBothWays && set.ConsumerMigration != MigrateDown:
		why = "the online downgrade is disabled"
	case members > set.MaxSize:
		why = "it has more members than a classic group may have"
	default:
		return true
	}
	st.log.Info("consumer group cannot become a classic group", "group", g.id, "reason", why)
	return false
}

// downgrade writes a classic group in the place of a consumer group that these members
// leave. What they had is to be assigned to others: the group rebalances.
func (st *state) downgrade(p *plan, g *consumerGroup, gone []*consumerMember) bool {
	classic := st.classicOf(g, p.t.Now)
	for _, m := range g.sorted() {
		if !has(gone, m) {
			classic.add(classicMemberOf(m))
		}
	}
	st.assignClassic(classic, func(id string) parts { return g.target[id] })
	r := groupRecord(g.id, classic.record(func(m *member) []byte { return m.assignment }))
	if len(r.Key)+len(r.Value) >= p.t.MaxBytes {
		st.log.Info("consumer group cannot become a classic group", "group", g.id, "reason", "its record would be too large")
		return false
	}
	g.remove(p)
	p.write(r)
	p.then(func() {
		st.settle(p.t, g, classic)
		st.prepare(p.t, classic, "downgraded from consumer group: members left")
	})
	return true
}

// downgradeFor writes a classic group in the place of a consumer group in which next takes
// the place of the static member replaced, which what the plan has so far says already.
func (st *state) downgradeFor(p *plan, g *consumerGroup, replaced, next *consumerMember, rebalance bool) error {
	classic := st.classicOf(g, p.t.Now)
	for _, m := range g.sorted() {
		if m != replaced {
			classic.add(classicMemberOf(m))
		}
	}
	classic.add(classicMemberOf(next))
	st.assignClassic(classic, func(id string) parts {
		if id == next.id {
			id = replaced.id
		}
		return g.target[id]
	})
	g.removeAs(p, func(id string) string {
		if id == replaced.id {
			return next.id
		}
		return id
	})
	p.write(groupRecord(g.id, classic.record(func(m *member) []byte { return m.assignment })))
	p.then(func() {
		st.settle(p.t, g, classic)
		if rebalance {
			st.prepare(p.t, classic, "downgraded from consumer group: static member "+next.id+" has another subscription")
		}
	})
	return nil
}

func has(members []*consumerMember, m *consumerMember) bool {
	for _, one := range members {
		if one == m {
			return true
		}
	}
	return false
}

// classicOf is the classic group that a consumer group becomes, without its members.
func (st *state) classicOf(g *consumerGroup, now time.Time) *group {
	classic := newGroup(g.id)
	classic.generation, classic.protocolType = g.epoch, consumerProtocol
	classic.phase, classic.before, classic.changed = stable, stable, now
	return classic
}

func classicMemberOf(m *consumerMember) *member {
	c := &member{
		id: m.id, instanceID: m.instanceID, clientID: m.clientID, clientHost: m.clientHost,
		rebalance: millis(m.rebalanceMillis), session: millis(m.classic.sessionMillis),
	}
	for _, p := range m.classic.protocols {
		c.protocols = append(c.protocols, kmsg.JoinGroupRequestProtocol{Name: p.name, Metadata: p.metadata})
	}
	return c
}

// assignClassic gives the members of a new classic group their assignments, in the form of
// the version that each of them knows.
func (st *state) assignClassic(classic *group, target func(id string) parts) {
	protocol := classic.choose()
	classic.protocol = &protocol
	classic.findTopics()
	for _, m := range classic.members {
		m.assignment = st.topics.assignment(target(m.id), m.metadata(protocol))
	}
}

// settle puts a classic group in the place of a consumer group.
func (st *state) settle(t *runtime.Turn, g *consumerGroup, classic *group) {
	st.log.Info("consumer group becomes a classic group", "group", g.id, "members", len(classic.members))
	for id := range g.members {
		disarmConsumer(t, g.id, id)
	}
	st.groups[g.id] = classic
	for _, m := range classic.members {
		st.armSession(t, classic, m)
	}
}
