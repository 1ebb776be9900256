package group

import (
	"slices"

	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// reconciliation moves a member towards its target. The member gives up first what it is
// to lose, in its old epoch; then it gets what is free, in the new one; what others have
// not given up yet it gets later. So no partition has two owners.
//
//	          ┌──────────── nothing to give up ─────────────┐
//	          │                                             ▼
//	reconciled ── something to give up ──► unrevoked ──► reconciled │ unreleased
//	                                       until it no longer         until what it is to
//	                                       reports those partitions   get is free
type reconciliation struct {
	group       *consumerGroup
	topics      *topicView
	member      *consumerMember
	targetEpoch int32
	target      parts
	changed     bool  // the member has just changed its subscription
	reports     bool  // the member says what it has
	has         parts // and that is it
}

// next is the member after one step, or the same one if it cannot move.
func (r *reconciliation) next() (*consumerMember, error) {
	m := r.member
	if !r.changed && m.settled(r.targetEpoch) {
		return m, nil
	}
	switch m.state {
	case reconciled:
		if m.epoch != r.targetEpoch {
			return r.move(m.epoch), nil
		}
		return r.unsubscribe(), nil // it changed its subscription in its epoch
	case unrevoked:
		switch {
		case !r.stillHas(m.revoking):
			return r.move(m.epoch), nil
		case r.changed:
			return r.unsubscribe(), nil
		}
		return m, nil
	case unreleased:
		return r.move(m.epoch), nil
	}
	// A later version left it in a state that is not known here: from scratch.
	if !r.reports || len(r.has) > 0 {
		return nil, model.Explain(kerr.FencedMemberEpoch, "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.")
	}
	return r.move(r.targetEpoch), nil
}

// stillHas reports whether the member may still use any of these partitions: it must have
// said that it does not.
func (r *reconciliation) stillHas(p parts) bool {
	if !r.reports {
		return true
	}
	for topic, partitions := range r.has {
		if in, _ := split(partitions, p[topic]); len(in) > 0 {
			return true
		}
	}
	return false
}

// subscribes are the ids of the topics that the member subscribes to.
func (r *reconciliation) subscribes() map[model.ID]bool {
	ids := r.topics.ids(r.group.subscription(r.member))
	set := make(map[model.ID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// unsubscribe takes from the member the topics that it does not subscribe to any more,
// without waiting for the next target.
func (r *reconciliation) unsubscribe() *consumerMember {
	subscribed := r.subscribes()
	assigned, revoking := parts{}, parts{}
	for topic, partitions := range r.member.revoking {
		revoking[topic] = partitions
	}
	for topic, partitions := range r.member.assigned {
		if subscribed[topic] {
			assigned[topic] = partitions
		} else {
			revoking.add(topic, partitions)
		}
	}
	if len(assigned) == len(r.member.assigned) {
		return r.member
	}
	m := r.member.clone()
	m.assigned = assigned
	if r.stillHas(revoking) {
		m.state, m.revoking = unrevoked, revoking
	}
	return m
}

// move takes the step from an epoch that the member is in.
func (r *reconciliation) move(epoch int32) *consumerMember {
	subscribed := r.subscribes()
	kept, revoking, gained, waits := parts{}, parts{}, parts{}, false
	for topic, partitions := range r.member.assigned {
		var target []int32
		if subscribed[topic] {
			target = r.target[topic]
		}
		keep, lose := split(partitions, target)
		kept.add(topic, keep)
		revoking.add(topic, lose)
	}
	for topic, target := range r.target {
		if !subscribed[topic] {
			continue
		}
		_, gain := split(target, r.member.assigned[topic])
		free := slices.DeleteFunc(gain, func(p int32) bool { return !r.free(topic, p) })
		waits = waits || len(free) < len(gain)
		gained.add(topic, free)
	}
	m := r.member.clone()
	m.epoch = epoch
	if len(revoking) > 0 && r.stillHas(revoking) {
		// It stays in its epoch until it has said that it gave them up.
		m.previous, m.state, m.assigned, m.revoking = r.member.epoch, unrevoked, kept, revoking
		return m
	}
	for topic, partitions := range gained {
		kept.add(topic, partitions)
	}
	m.epoch, m.previous, m.state = r.targetEpoch, r.member.epoch, reconciled
	if waits {
		m.state = unreleased
	}
	m.assigned, m.revoking = kept, nil
	return m
}

// free reports whether nobody else has a partition. What the member itself is giving up it
// may have again.
func (r *reconciliation) free(topic model.ID, partition int32) bool {
	owner, owned := r.group.owners[topic][partition]
	return !owned || owner == r.member.id || r.member.revoking.has(topic, partition) || planted.Is(planted.TwoOwners)
}
