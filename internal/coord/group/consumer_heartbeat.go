package group

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/coord/group/assign"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConsumerGroupHeartbeat makes the client a member of a consumer group, keeps it one,
// tells it what it may use, or lets it go (KIP-848).
func (s *Service) ConsumerGroupHeartbeat(ctx context.Context, c Caller, req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	err := validateConsumerHeartbeat(req, s.settings().ConsumerAssignors)
	var b beat
	if err == nil {
		b, err = do(ctx, s, req.Group, runtime.Alone, func(st *state, t *runtime.Turn) (beat, error) {
			return st.consumerHeartbeat(t, c, req)
		})
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = code(err), model.ErrorMessage(err)
		return resp
	}
	resp.MemberID, resp.MemberEpoch = &b.memberID, b.epoch
	resp.HeartbeatIntervalMillis = int32(b.interval.Milliseconds())
	if b.tells {
		a := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
		a.Topics = make([]kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic, 0, len(b.assigned))
		for _, id := range b.assigned.topics() {
			a.Topics = append(a.Topics, kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{TopicID: id, Partitions: b.assigned[id]})
		}
		resp.Assignment = &a
	}
	return resp
}

// beat is the answer to a member of a consumer group.
type beat struct {
	memberID string
	epoch    int32
	interval time.Duration
	tells    bool  // the assignment is a part of the answer
	assigned parts // shared with the member: not to be changed
}

// invalid is a request that no group would take.
func invalid(message string) error { return model.Explain(kerr.InvalidRequest, message) }

func blank(s *string) bool { return s != nil && strings.TrimSpace(*s) == "" }

// validateConsumerHeartbeat returns why no group would take the request.
func validateConsumerHeartbeat(req *kmsg.ConsumerGroupHeartbeatRequest, assignors []string) error {
	needsID := req.Version >= 1 || req.MemberEpoch > 0 || req.MemberEpoch == leaveEpoch
	switch {
	case needsID && blank(&req.MemberID):
		return invalid("MemberId can't be empty.")
	case blank(&req.Group):
		return invalid("GroupId can't be empty.")
	case blank(req.InstanceID):
		return invalid("InstanceId can't be empty.")
	case blank(req.RackID):
		return invalid("RackId can't be empty.")
	case req.MemberEpoch < leaveStaticEpoch:
		return invalid("MemberEpoch is invalid.")
	case req.MemberEpoch == leaveStaticEpoch && req.InstanceID == nil:
		return invalid("InstanceId can't be null.")
	case len(req.Group) > maxString || len(req.MemberID) > maxString:
		return invalid("GroupId or MemberId is too long.") // for a key of the log
	case req.SubscribedTopicRegex != nil && len(*req.SubscribedTopicRegex) > maxString:
		return invalid("SubscribedTopicRegex is too long.")
	}
	if req.MemberEpoch == 0 {
		switch {
		case req.RebalanceTimeoutMillis == -1:
			return invalid("RebalanceTimeoutMs must be provided in first request.")
		case req.Topics == nil || len(req.Topics) > 0:
			return invalid("TopicPartitions must be empty when (re-)joining.")
		case req.SubscribedTopicNames == nil && req.SubscribedTopicRegex == nil:
			return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
		}
	}
	if req.ServerAssignor != nil && !slices.Contains(assignors, *req.ServerAssignor) {
		return model.Explain(kerr.UnsupportedAssignor, fmt.Sprintf("ServerAssignor %s is not supported. Supported assignors: %s.",
			*req.ServerAssignor, strings.Join(assignors, ", ")))
	}
	return nil
}

// consumerHeartbeat is ConsumerGroupHeartbeat as the group sees it: the member is made or
// changed, which may begin a new epoch; an epoch without a target gets one; the member
// takes a step towards it. A member that has nothing new costs no more than its own
// partitions.
func (st *state) consumerHeartbeat(t *runtime.Turn, c Caller, req *kmsg.ConsumerGroupHeartbeatRequest) (beat, error) {
	if req.MemberEpoch == leaveEpoch || req.MemberEpoch == leaveStaticEpoch {
		return st.leaveConsumerGroup(t, req)
	}
	if err := fitsNames(t, req.SubscribedTopicNames); err != nil {
		return beat{}, err
	}
	p := newPlan(t)
	g, err := st.consumerGroup(p, req.Group, req.MemberEpoch == 0)
	if err != nil {
		return beat{}, err
	}
	h := &advance{state: st, plan: p, group: g, consumer: true}
	if err := h.admit(req); err != nil {
		return beat{}, err
	}
	h.next = h.was.clone()
	updateMember(h.next, c, req)
	if err := h.step(); err != nil {
		return beat{}, err
	}
	config := st.groupSettings(g.id)
	p.then(func() { st.armConsumerSession(t, g.id, h.next.id, config.ConsumerSession) })
	if err := p.carryOut(); err != nil {
		return beat{}, err
	}
	return beat{
		memberID: h.next.id, epoch: h.next.epoch, interval: config.ConsumerHeartbeat,
		tells:    req.MemberEpoch == 0 || isFull(req) || !h.was.assigned.equal(h.next.assigned),
		assigned: h.next.assigned,
	}, nil
}

// fitsNames returns why a subscription could not be stored, before anything is done for it:
// a request may name millions of topics.
func fitsNames(t *runtime.Turn, names []string) error {
	size := 0
	for _, name := range names {
		size += len(name) + 1
	}
	if size >= t.MaxBytes {
		return tooLarge(size, t.MaxBytes)
	}
	return nil
}

// isFull reports whether a member has said all of itself, as it does when it does not know
// what the coordinator knows.
func isFull(req *kmsg.ConsumerGroupHeartbeatRequest) bool {
	return req.RebalanceTimeoutMillis != -1 && (req.SubscribedTopicNames != nil || req.SubscribedTopicRegex != nil) && req.Topics != nil
}

// updateMember takes what a heartbeat says of its member. What it leaves out stays.
func updateMember(m *consumerMember, c Caller, req *kmsg.ConsumerGroupHeartbeatRequest) {
	if req.InstanceID != nil {
		m.instanceID = req.InstanceID
	}
	if req.RackID != nil {
		m.rack = req.RackID
	}
	if req.RebalanceTimeoutMillis != -1 {
		m.rebalanceMillis = req.RebalanceTimeoutMillis
	}
	if req.ServerAssignor != nil {
		m.assignor = req.ServerAssignor
	}
	if req.SubscribedTopicNames != nil && !slices.Equal(req.SubscribedTopicNames, m.topics) {
		names := slices.Clone(req.SubscribedTopicNames)
		slices.Sort(names)
		m.topics = slices.Compact(names)
	}
	if req.SubscribedTopicRegex != nil {
		m.pattern = *req.SubscribedTopicRegex
	}
	m.clientID, m.clientHost = c.ClientID, c.ClientHost
	m.classic = nil
}

// reported are the partitions that a heartbeat says its member has.
func reported(req *kmsg.ConsumerGroupHeartbeatRequest) (has parts, reports bool) {
	if req.Topics == nil {
		return nil, false
	}
	has = parts{}
	for i := range req.Topics {
		has.gather(req.Topics[i].TopicID, req.Topics[i].Partitions)
	}
	return has.settle(), true
}

// advance is one request of a member on its way: what it was and what it will be.
type advance struct {
	state    *state
	plan     *plan
	group    *consumerGroup
	consumer bool            // it uses the consumer protocol
	was      *consumerMember // as the group knows it, or a new one
	next     *consumerMember // as it will be known
	reports  bool            // it says what it has
	has      parts

	changed bool // its subscription is another
	epoch   int32
}

// step writes what the change from was to next means for the group and takes the member a
// step towards its target.
func (h *advance) step() error {
	bump, err := h.resubscribe()
	if err != nil {
		return err
	}
	h.refresh(bump)
	epoch, target, err := h.targetFor()
	if err != nil {
		return err
	}
	return h.reconcile(epoch, target)
}

// resubscribe writes the member if it has changed, and reports whether that is a reason
// for a new epoch of the group.
func (h *advance) resubscribe() (bump bool, err error) {
	g, was, next := h.group, h.was, h.next
	if !next.sameSubscription(was) {
		h.plan.write(consumerMemberRecord(g.id, next))
	}
	named := !slices.Equal(was.topics, next.topics)
	pattern, err := h.patternChange()
	if err != nil {
		return false, err
	}
	h.changed = named || pattern != samePattern
	if h.consumer {
		// A pattern that is not resolved yet will bring an epoch when it is.
		return g.epoch == 0 || named || pattern == otherResolved, nil
	}
	return h.changed, nil
}

// refresh begins a new epoch of the group if there is a reason, or if its topics are not
// what they were.
func (h *advance) refresh(bump bool) {
	g, now := h.group, h.plan.t.Now
	h.epoch = g.epoch
	if !bump && !g.stale(now) {
		return
	}
	hash := h.state.topics.hash(h.group.topicsAfter(h.was, h.next))
	if bump || hash != g.hash {
		h.epoch++
		h.plan.write(consumerKinds.epochRecord(g.id, h.epoch, hash))
		h.state.log.Debug("consumer group has a new epoch", "group", g.id, "epoch", h.epoch)
	}
	epoch := h.epoch
	h.plan.then(func() { g.fresh(now, epoch) })
	if g.oldTopics {
		h.plan.write(runtime.Record{Key: groupKey(keyConsumerTopics, g.id)})
	}
}

// topicsAfter are the group's topics once a member has become another.
func (g *consumerGroup) topicsAfter(was, is *consumerMember) map[string]subscribers {
	topics := g.topicsWith(was.topics, is.topics)
	if was.pattern != "" && was.pattern != is.pattern && g.patterns[was.pattern] == 1 {
		if r := g.resolved[was.pattern]; r != nil {
			countPattern(topics, r.topics, -1)
		}
	}
	return topics
}

// targetFor returns the member's target and its epoch. If the group has none for its
// epoch, it is computed.
func (h *advance) targetFor() (int32, parts, error) {
	g, next := h.group, h.next
	replaced := g.staticMember(next.instanceID)
	if h.epoch <= g.targetEpoch {
		if replaced != nil {
			return g.targetEpoch, g.target[replaced.id], nil
		}
		if next.instanceID != nil {
			return g.targetEpoch, nil, nil
		}
		return g.targetEpoch, g.target[next.id], nil
	}
	a := g.chooseAssignor(h.state.assignors(), h.was, next)
	members := make([]assign.Member, 0, len(g.members)+1)
	specs := specifier{group: g, topics: h.state.topics}
	for _, m := range g.members {
		if m.id != next.id && m != replaced {
			members = append(members, specs.of(m, g.target[m.id]))
		}
	}
	owned := g.target[next.id]
	if replaced != nil {
		owned = g.target[replaced.id]
	}
	members = append(members, specs.of(next, owned))
	target, err := g.retarget(h.plan, consumerKinds, h.epoch, a, members, h.state.topics.describe(g.topicsAfter(h.was, next)))
	if err != nil {
		h.state.log.Error("assignment failed", "group", g.id, "epoch", h.epoch, "assignor", a.Name(), "error", err)
		return 0, nil, model.Explain(kerr.UnknownServerError, fmt.Sprintf("Failed to compute a new target assignment for epoch %d", h.epoch))
	}
	h.state.log.Info("consumer group has a new target assignment", "group", g.id, "epoch", h.epoch, "members", len(members), "assignor", a.Name())
	return h.epoch, target[next.id], nil
}

// specifier says of members what assignors want to know. Members that subscribe to the
// same names share their ids.
type specifier struct {
	group  *consumerGroup
	topics *topicView
	names  []string
	ids    []model.ID
}

func (s *specifier) of(m *consumerMember, owned parts) assign.Member {
	names := s.group.subscription(m)
	if s.ids == nil || !slices.Equal(names, s.names) {
		s.names, s.ids = names, s.topics.ids(names)
	}
	spec := assign.Member{ID: m.id, Topics: s.ids, Owned: owned}
	if m.instanceID != nil {
		spec.InstanceID = *m.instanceID
	}
	if m.rack != nil {
		spec.Rack = *m.rack
	}
	return spec
}

// reconcile takes the member a step and writes where it is then. A member of the consumer
// protocol that has to revoke partitions has its rebalance timeout for that.
func (h *advance) reconcile(epoch int32, target parts) error {
	before := h.next
	r := reconciliation{
		group: h.group, topics: h.state.topics, member: before, targetEpoch: epoch, target: target,
		changed: h.changed, reports: h.reports, has: h.has,
	}
	m, err := r.next()
	if err != nil || m.sameProgress(before) {
		return err
	}
	h.next = m
	h.plan.write(consumerCurrentRecord(h.group.id, m))
	if m.classic == nil {
		h.plan.then(func() { h.state.armRevocation(h.plan.t, h.group.id, m) })
	}
	return nil
}
