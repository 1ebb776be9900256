package group

import (
	"fmt"
	"strconv"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumerGroup finds the consumer group of a heartbeat. Who joins makes one if there is
// none, also in the place of a classic group: an empty one is deleted, a live one is
// upgraded. The group is not the state's yet then, but what the plan will make it.
func (st *state) consumerGroup(p *plan, id string, joins bool) (*consumerGroup, error) {
	if g := st.consumers[id]; g != nil {
		return g, nil
	}
	classic := st.groups[id]
	switch {
	case st.holder(id) != nil || classic != nil && !joins:
		return nil, model.Explain(kerr.GroupIDNotFound, "Group "+id+" is not a consumer group.")
	case classic == nil && !joins:
		return nil, model.Explain(kerr.GroupIDNotFound, "Consumer group "+id+" not found.")
	case classic == nil:
		return newConsumerGroup(id), nil
	case classic.phase == empty:
		p.write(groupTombstone(id))
		p.then(func() { classic.forgetPending(p.t) })
		return newConsumerGroup(id), nil
	}
	return st.upgrade(p, classic)
}

// admit finds the member that a heartbeat speaks of, or makes one.
func (h *advance) admit(req *kmsg.ConsumerGroupHeartbeatRequest) error {
	g, joins, id := h.group, req.MemberEpoch == 0, req.MemberID
	if err := g.checkRoom(id, req.InstanceID, h.state.settings().ConsumerMaxSize); err != nil {
		return err
	}
	if id == "" {
		id = h.state.newID() // before version 1 of the request
	}
	h.has, h.reports = reported(req)
	var err error
	if req.InstanceID == nil {
		err = h.dynamic(id, joins)
	} else {
		err = h.static(id, *req.InstanceID, joins)
	}
	if err != nil {
		return err
	}
	return h.was.checkHeartbeat(req.MemberEpoch, h.has, h.reports)
}

// checkRoom refuses a new member if the group is full. Who takes the place of a static
// member makes it no larger; Kafka refuses it all the same.
func (g *consumerGroup) checkRoom(memberID string, instanceID *string, maxSize int) error {
	if len(g.members) >= maxSize && g.members[memberID] == nil && g.staticMember(instanceID) == nil {
		return model.Explain(kerr.GroupMaxSizeReached, fmt.Sprintf("The consumer group has reached its maximum capacity of %d members.", maxSize))
	}
	return nil
}

func (h *advance) dynamic(id string, joins bool) error {
	if h.was = h.group.members[id]; h.was != nil {
		return nil
	}
	if !joins {
		_, err := h.group.member(id)
		return err
	}
	h.plan.then(func() {
		h.state.log.Info("member joins consumer group", "group", h.group.id, "member", id, "consumer", h.consumer)
	})
	h.was = newConsumerMember(id)
	return nil
}

// static finds the member of an instance id (KIP-345). A new process takes the place of
// the one before: what that had is written as the new one's. Of two that use the consumer
// protocol the first must have said that it goes.
func (h *advance) static(id, instanceID string, joins bool) error {
	g, old := h.group, h.group.staticMember(&instanceID)
	switch {
	case !joins && old == nil:
		return model.Explain(kerr.UnknownMemberID, "Instance id "+instanceID+" is unknown.")
	case !joins && old.id != id:
		return fencedInstance(id, instanceID, old.id)
	case !joins:
		h.was = old
		return nil
	case old == nil:
		return h.dynamic(id, true)
	case old.id == id && h.consumer && old.classic == nil:
		// The same process begins anew, because it was fenced or has left for a while. Kafka
		// takes it for another that is too early.
		h.was = old
		return nil
	}
	if h.consumer && old.classic == nil && old.epoch != leaveStaticEpoch {
		return model.Explain(kerr.UnreleasedInstanceID, fmt.Sprintf("Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.", id, instanceID, old.id))
	}
	m := old.clone()
	m.id, m.epoch, m.previous = id, 0, 0
	consumerKinds.removeMember(h.plan, g.id, old.id)
	h.plan.write(consumerMemberRecord(g.id, m))
	h.plan.write(consumerKinds.targetRecord(g.id, id, g.target[old.id]))
	h.plan.write(consumerCurrentRecord(g.id, m))
	h.plan.then(func() {
		h.state.log.Info("static member is replaced in consumer group", "group", g.id, "instance", instanceID, "member", id, "old", old.id, "consumer", h.consumer)
		disarmConsumer(h.plan.t, g.id, old.id)
	})
	h.was = m
	return nil
}

func fencedInstance(id, instanceID, owner string) error {
	return model.Explain(kerr.FencedInstanceID, fmt.Sprintf("Static member %s with instance id %s was fenced by member %s.", id, instanceID, owner))
}

// checkHeartbeat returns why a member is fenced. The epoch before its own passes if the
// member has nothing that it should not have: it did not get the last answer.
func (m *consumerMember) checkHeartbeat(epoch int32, has parts, reports bool) error {
	switch {
	case epoch == 0 || epoch == m.epoch:
		return nil
	case epoch > m.epoch:
		return m.fenced("greater", epoch)
	case epoch == m.previous && reports && m.assigned.cover(has):
		return nil
	}
	return m.fenced("smaller", epoch)
}

func (m *modernMember) fenced(how string, epoch int32) error {
	return model.Explain(kerr.FencedMemberEpoch, "The consumer group member has a "+how+" member epoch ("+strconv.Itoa(int(epoch))+
		") than the one known by the group coordinator ("+strconv.Itoa(int(m.epoch))+"). The member must abandon all its partitions and rejoin.")
}
