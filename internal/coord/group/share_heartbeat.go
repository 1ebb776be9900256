package group

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/odradek/odradek/internal/coord/group/assign"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ShareGroupHeartbeat makes the client a member of a share group, keeps it one, tells it
// what it may read, or lets it go (KIP-932).
func (s *Service) ShareGroupHeartbeat(ctx context.Context, c Caller, req *kmsg.ShareGroupHeartbeatRequest) *kmsg.ShareGroupHeartbeatResponse {
	resp := req.ResponseKind().(*kmsg.ShareGroupHeartbeatResponse)
	err := validateShareHeartbeat(req)
	var b shareBeat
	if err == nil {
		b, err = do(ctx, s, req.GroupID, runtime.Alone, func(st *state, t *runtime.Turn) (shareBeat, error) {
			return st.shareHeartbeat(t, c, req)
		})
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = code(err), model.ErrorMessage(err)
		return resp
	}
	s.beginnings.add(b.begin)
	resp.MemberID, resp.MemberEpoch = &b.memberID, b.epoch
	resp.HeartbeatIntervalMillis = int32(b.interval.Milliseconds())
	if b.tells {
		a := kmsg.NewShareGroupHeartbeatResponseAssignment()
		for _, id := range b.assigned.topics() {
			a.TopicPartitions = append(a.TopicPartitions, kmsg.ShareGroupHeartbeatResponseAssignmentTopicPartition{
				TopicID: id, Partitions: b.assigned[id],
			})
		}
		resp.Assignment = &a
	}
	return resp
}

// shareBeat is the answer to a member of a share group, and the states that must begin
// before more can be assigned.
type shareBeat struct {
	beat
	begin beginning
}

// longestShareMember is the length of a member id: that of a UUID.
const longestShareMember = 36

// validateShareHeartbeat returns why no group would take the request.
func validateShareHeartbeat(req *kmsg.ShareGroupHeartbeatRequest) error {
	switch {
	case req.MemberID == "" || len(req.MemberID) > longestShareMember:
		return invalid("Invalid member id in the request.")
	case blank(&req.MemberID):
		return invalid("MemberId can't be empty.")
	case blank(&req.GroupID):
		return invalid("GroupId can't be empty.")
	case blank(req.RackID):
		return invalid("RackId can't be empty.")
	case req.MemberEpoch < leaveEpoch:
		return invalid("MemberEpoch is invalid.")
	case req.MemberEpoch == 0 && len(req.SubscribedTopicNames) == 0:
		return invalid("SubscribedTopicNames must be set in first request.")
	case len(req.GroupID) > maxString:
		return invalid("GroupId is too long.") // for a key of the log
	}
	return nil
}

// shareGroup finds a share group; who joins makes one if there is none.
func (st *state) shareGroup(id string, joins bool) (*shareGroup, error) {
	switch g := st.shares[id]; {
	case g != nil:
		return g, nil
	case st.exists(id):
		return nil, model.Explain(kerr.GroupIDNotFound, "Group "+id+" is not a share group.")
	case !joins:
		return nil, model.Explain(kerr.GroupIDNotFound, "Share group "+id+" not found.")
	}
	return newShareGroup(id), nil
}

// shareHeartbeat is ShareGroupHeartbeat as the group sees it: the member is made or
// changed, which may begin a new epoch, as does a partition whose state has begun; an
// epoch without a target gets one; the member takes its part of it at once, since nobody
// has to wait for others to give up what is shared.
func (st *state) shareHeartbeat(t *runtime.Turn, c Caller, req *kmsg.ShareGroupHeartbeatRequest) (shareBeat, error) {
	joins := req.MemberEpoch == 0
	g, err := st.shareGroup(req.GroupID, joins)
	if err != nil {
		return shareBeat{}, err
	}
	if req.MemberEpoch == leaveEpoch {
		return st.leaveShareGroup(t, g, req)
	}
	if err := fitsNames(t, req.SubscribedTopicNames); err != nil {
		return shareBeat{}, err
	}
	was, err := g.admit(req, st.settings().ShareMaxSize)
	if err != nil {
		return shareBeat{}, err
	}
	h := &shareAdvance{state: st, plan: newPlan(t), group: g, was: was, next: was.clone()}
	h.next.clientID, h.next.clientHost = c.ClientID, c.ClientHost
	if req.RackID != nil {
		h.next.rack = req.RackID
	}
	if req.SubscribedTopicNames != nil {
		h.next.topics = inOrder(req.SubscribedTopicNames)
	}
	if err := h.step(); err != nil {
		return shareBeat{}, err
	}
	own := st.groupSettings(g.id)
	h.plan.then(func() { st.armConsumerSession(t, g.id, h.next.id, own.ShareSession) })
	b := shareBeat{beat: beat{
		memberID: h.next.id, epoch: h.next.epoch, interval: own.ShareHeartbeat, assigned: h.next.assigned,
		tells: joins || req.SubscribedTopicNames != nil || !h.next.assigned.equal(was.assigned),
	}}
	b.begin = h.begin()
	return b, h.plan.carryOut()
}

// inOrder is a list of names sorted, each once.
func inOrder(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

// admit finds the member that a heartbeat speaks of, or makes one.
func (g *shareGroup) admit(req *kmsg.ShareGroupHeartbeatRequest, maxSize int) (*shareMember, error) {
	m := g.members[req.MemberID]
	if m == nil && len(g.members) >= maxSize {
		return nil, model.Explain(kerr.GroupMaxSizeReached, fmt.Sprintf("The share group has reached its maximum capacity of %d members.", maxSize))
	}
	if m == nil {
		if req.MemberEpoch == 0 {
			return newShareMember(req.MemberID), nil
		}
		return g.member(req.MemberID)
	}
	return m, m.checkHeartbeat(req.MemberEpoch)
}

// checkHeartbeat returns why a member is fenced. The epoch before its own passes: the
// member did not get the last answer.
func (m *shareMember) checkHeartbeat(epoch int32) error {
	how := ""
	switch {
	case epoch == 0 || epoch == m.epoch || epoch < m.epoch && epoch == m.previous:
		return nil
	case epoch > m.epoch:
		how = "greater"
	default:
		how = "smaller"
	}
	return model.Explain(kerr.FencedMemberEpoch, "The share group member has a "+how+" member epoch ("+strconv.Itoa(int(epoch))+
		") than the one known by the group coordinator ("+strconv.Itoa(int(m.epoch))+"). The member must abandon all its partitions and rejoin.")
}

// shareAdvance takes a member of a share group a step.
type shareAdvance struct {
	state     *state
	plan      *plan
	group     *shareGroup
	was, next *shareMember
	epoch     int32 // of the group
	topics    map[string]subscribers
}

func (h *shareAdvance) step() error {
	g, st, now := h.group, h.state, h.plan.t.Now
	if g.members[h.next.id] == nil || !h.next.sameSubscription(h.was) {
		h.plan.write(shareMemberRecord(g.id, h.next))
	}
	changed := !slices.Equal(h.was.topics, h.next.topics)
	bump := changed || g.epoch == 0 || h.pending()
	h.epoch, h.topics = g.epoch, g.topics
	if bump || g.stale(now) {
		h.topics = g.topicsWith(h.was.topics, h.next.topics)
		if hash := st.topics.hash(h.topics); bump || hash != g.hash {
			h.epoch++
			h.plan.write(shareEpochRecord(g.id, h.epoch, hash))
			st.log.Debug("share group has a new epoch", "group", g.id, "epoch", h.epoch)
		}
		epoch := h.epoch
		h.plan.then(func() { g.fresh(now, epoch) })
	}
	epoch, target, err := h.targetFor()
	if err != nil {
		return err
	}
	before := h.next.clone()
	if epoch != h.next.epoch || changed {
		h.next.assigned = h.subscribed(target)
	}
	if epoch != h.next.epoch {
		h.next.to(epoch, reconciled)
	}
	if g.members[h.next.id] == nil || !h.next.sameProgress(before) {
		h.plan.write(shareCurrentRecord(g.id, h.next))
	}
	return nil
}

// pending reports whether states have begun of partitions that are assigned to nobody, or
// ended of some that are.
func (h *shareAdvance) pending() bool {
	g := h.group
	if !g.unassigned || g.empty() {
		return false
	}
	assigned := parts{}
	for _, target := range g.target {
		for id, partitions := range target {
			assigned.gather(id, partitions)
		}
	}
	assigned.settle()
	whole := true
	for id, t := range g.states.initialized {
		ready, all := h.state.ready(g, id, h.plan.t.Now)
		whole = whole && all
		if _, ok := g.topics[t.name]; ok && !slices.Equal(assigned[id], ready) {
			return true
		}
	}
	h.plan.then(func() { g.unassigned = !whole })
	return false
}

// targetFor returns the member's target and its epoch. If the group has none for its
// epoch, it is computed.
func (h *shareAdvance) targetFor() (int32, parts, error) {
	g := h.group
	if h.epoch <= g.targetEpoch {
		return g.targetEpoch, g.target[h.next.id], nil
	}
	members := []assign.Member{h.spec(h.next)}
	for _, m := range g.members {
		if m.id != h.next.id {
			members = append(members, h.spec(m))
		}
	}
	topics := h.state.topics.describe(h.topics)
	for id, t := range topics {
		ready, _ := h.state.ready(g, id, h.plan.t.Now)
		t.Assignable = func(p int32) bool { _, ok := slices.BinarySearch(ready, p); return ok }
		topics[id] = t
	}
	target, err := g.retarget(h.plan, shareKinds, h.epoch, assign.Simple{}, members, topics)
	if err != nil {
		h.state.log.Error("assignment failed", "group", g.id, "epoch", h.epoch, "error", err)
		return 0, nil, model.Explain(kerr.UnknownServerError, fmt.Sprintf("Failed to compute a new target assignment for epoch %d", h.epoch))
	}
	return h.epoch, target[h.next.id], nil
}

func (h *shareAdvance) spec(m *shareMember) assign.Member {
	return assign.Member{ID: m.id, Topics: h.state.topics.ids(m.topics), Owned: h.group.target[m.id]}
}

// subscribed is what the member subscribes to of its target.
func (h *shareAdvance) subscribed(target parts) parts {
	ids := h.state.topics.ids(h.next.topics)
	own := make(parts, len(target))
	for id, partitions := range target {
		if slices.Contains(ids, id) {
			own[id] = partitions
		}
	}
	return own
}

// leaveShareGroup lets a member go.
func (st *state) leaveShareGroup(t *runtime.Turn, g *shareGroup, req *kmsg.ShareGroupHeartbeatRequest) (shareBeat, error) {
	m, err := g.member(req.MemberID)
	if err != nil {
		return shareBeat{}, err
	}
	st.log.Info("member leaves share group", "group", g.id, "member", m.id)
	p := newPlan(t)
	st.fenceShare(p, g, m)
	return shareBeat{beat: beat{memberID: m.id, epoch: leaveEpoch}}, p.carryOut()
}

// fenceShare writes that a member is gone, which begins a new epoch.
func (st *state) fenceShare(p *plan, g *shareGroup, m *shareMember) {
	p.then(func() { p.t.Disarm(timerKey{sessionTimer, g.id, m.id}) })
	shareKinds.removeMember(p, g.id, m.id)
	p.write(shareEpochRecord(g.id, g.epoch+1, st.topics.hash(g.topicsWith(m.topics, nil))))
}

// fireShare fences a member whose session is over.
func (st *state) fireShare(t *runtime.Turn, g *shareGroup, id string) {
	m := g.members[id]
	if m == nil {
		return
	}
	st.log.Info("member is fenced from share group", "group", g.id, "member", id, "reason", "its session ended")
	p := newPlan(t)
	st.fenceShare(p, g, m)
	if err := p.carryOut(); err != nil {
		st.log.Error("member cannot be fenced", "group", g.id, "member", id, "error", err)
	}
}

// loadedShare sets the timers of a group that has been loaded, and drops the states of
// topics that were deleted meanwhile. What another coordinator was deleting does not begin
// before that has ended for sure.
func (st *state) loadedShare(t *runtime.Turn, g *shareGroup) {
	session := st.groupSettings(g.id).ShareSession
	for _, m := range g.sorted() {
		st.armConsumerSession(t, g.id, m.id, session)
	}
	for id := range g.states.deleting {
		g.ending[id] = t.Now
	}
	st.dropShareStates(t, g)
}

func (st *state) dropShareStates(t *runtime.Turn, g *shareGroup) {
	next := g.states.drop(func(id model.ID) bool { _, ok := st.topics.name(id); return ok })
	if !next.equal(g.states) {
		t.Write(shareStatesRecord(g.id, next))
	}
}
