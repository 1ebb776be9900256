package group

import (
	"context"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// JoinGroup answers once the member is in a generation, or cannot be.
func (s *Service) JoinGroup(ctx context.Context, c Caller, req *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
	if err := s.validateJoin(req); err != nil {
		return joinResponse(req, joined{memberID: req.MemberID}, err)
	}
	got, err := await(ctx, s, req.Group, func(st *state, t *runtime.Turn, d *runtime.Deferred[joined]) {
		st.join(t, c, req, d)
	})
	return joinResponse(req, got, err)
}

func (s *Service) validateJoin(req *kmsg.JoinGroupRequest) error {
	if req.Group == "" {
		return kerr.InvalidGroupID
	}
	set, session := s.settings(), time.Duration(req.SessionTimeoutMillis)*time.Millisecond
	if session < set.MinSessionTimeout || session > set.MaxSessionTimeout {
		return kerr.InvalidSessionTimeout
	}
	if len(req.Group) > maxString || len(req.ProtocolType) > maxString {
		return kerr.InvalidRequest // the log could not hold them
	}
	for _, p := range req.Protocols {
		if len(p.Name) > maxString {
			return kerr.InvalidRequest
		}
	}
	if req.InstanceID != nil && len(*req.InstanceID) > maxString {
		return kerr.InvalidRequest // what else an instance id may be is the client's affair
	}
	return nil
}

func joinResponse(req *kmsg.JoinGroupRequest, j joined, err error) *kmsg.JoinGroupResponse {
	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.MemberID, resp.ErrorCode, resp.Generation = j.memberID, code(err), -1
	if err == nil {
		resp.Generation, resp.LeaderID, resp.SkipAssignment = j.generation, j.leader, j.skipAssignment
		resp.ProtocolType, resp.Protocol, resp.Members = &j.protocolType, &j.protocol, j.members
	}
	if resp.Protocol == nil && req.Version < 7 {
		resp.Protocol = new(string) // not nullable before version 7
	}
	return resp
}

// joined is the answer to a member that joins.
type joined struct {
	memberID       string
	generation     int32
	protocolType   string
	protocol       string
	leader         string
	skipAssignment bool
	members        []kmsg.JoinGroupResponseMember // for the leader
}

// join is JoinGroup as the group sees it. The answer is given at once, or with the
// generation that the member gets into.
func (st *state) join(t *runtime.Turn, c Caller, req *kmsg.JoinGroupRequest, d *runtime.Deferred[joined]) {
	h := st.holder(req.Group)
	switch cg := st.consumers[req.Group]; {
	case cg != nil && !cg.empty():
		st.joinConsumerGroup(t, cg, c, req, d)
		return
	case cg == nil && h != nil:
		d.Give(t, joined{}, kerr.InconsistentGroupProtocol)
		return
	}
	g, fresh := st.groups[req.Group], false
	if g == nil {
		if req.MemberID != "" {
			d.Give(t, joined{memberID: req.MemberID}, kerr.UnknownMemberID)
			return
		}
		g, fresh = newGroup(req.Group), true
	}
	if st.joinOutcast(t, g, req, d) {
		return
	}
	if g.full(req.MemberID, st.settings().MaxSize) {
		st.turnAway(t, g, req.MemberID)
		d.Give(t, joined{}, kerr.GroupMaxSizeReached)
		return
	}
	if g.heavy(req, t.MaxBytes) {
		st.turnAway(t, g, req.MemberID)
		d.Give(t, joined{}, kerr.GroupMaxSizeReached)
		return
	}
	if !g.supports(req.ProtocolType, req.Protocols) {
		d.Give(t, joined{memberID: req.MemberID}, kerr.InconsistentGroupProtocol)
		return
	}
	if fresh {
		if h != nil { // an empty consumer group becomes a classic one
			p := newPlan(t)
			h.remove(p)
			if err := p.carryOut(); err != nil {
				d.Give(t, joined{memberID: req.MemberID}, err)
				return
			}
		}
		st.groups[g.id] = g
		t.Write(groupRecord(g.id, &savedGroup{stateMillis: -1}))
	}
	j := &joining{state: st, t: t, g: g, c: c, req: req, answer: d}
	switch {
	case req.MemberID != "":
		j.known()
	case req.InstanceID != nil:
		j.static()
	case req.Version >= 4:
		j.requireID()
	default:
		j.add(st.newMemberID(c.ClientID))
	}
}

// full reports whether the member would be one too many. While members gather, those
// that have come count; afterwards all do.
func (g *group) full(memberID string, maxSize int) bool {
	m := g.byID[memberID]
	switch g.phase {
	case empty:
		return false
	case preparing:
		return (m == nil || m.joining == nil) && g.waiting >= maxSize
	}
	return m == nil && len(g.members) >= maxSize
}

// spareProtocols is how many times over the metadata of a group may fill its record,
// which has that of the chosen protocol: members bring one for each that they know.
const spareProtocols = 8

// heavy reports whether the group's metadata would be far beyond what its record can
// hold, of at most maxBytes: it would be kept, and sent to the leader, for nothing.
func (g *group) heavy(req *kmsg.JoinGroupRequest, maxBytes int) bool {
	n := g.bytes + protocolBytes(req.Protocols)
	if m := g.byID[req.MemberID]; m != nil {
		n -= protocolBytes(m.protocols)
	}
	return n > spareProtocols*maxBytes
}

func protocolBytes(protocols []kmsg.JoinGroupRequestProtocol) (n int) {
	for _, p := range protocols {
		n += len(p.Name) + len(p.Metadata)
	}
	return n
}

// turnAway forgets a member, or a pending one, for which there is no room.
func (st *state) turnAway(t *runtime.Turn, g *group, id string) {
	if m := g.byID[id]; m != nil {
		g.drop(t, m, kerr.GroupMaxSizeReached)
	} else if g.pending[id] {
		g.remove(id)
		disarmSession(t, g, id)
	}
	st.maybeComplete(t, g)
}

// newMemberID is a fresh id that starts with a client's or an instance's name, cut if
// the log could not hold it.
func (st *state) newMemberID(name string) string {
	const uuidLen = 36
	return name[:min(len(name), maxString-uuidLen-1)] + "-" + st.newID()
}

// joining is one JoinGroup on its way.
type joining struct {
	state  *state
	t      *runtime.Turn
	g      *group
	c      Caller
	req    *kmsg.JoinGroupRequest
	answer *runtime.Deferred[joined]
}

func (j *joining) refuse(memberID string, err error) {
	j.answer.Give(j.t, joined{memberID: memberID}, err)
}

// reason is why the client says it joins (KIP-800).
func (j *joining) reason(what string) string {
	if j.req.Reason == nil || *j.req.Reason == "" {
		return what + "; client reason: not provided"
	}
	return what + "; client reason: " + *j.req.Reason
}

// requireID gives a new member its id and has it join again with that (KIP-394), so
// that a client which gives up early does not leave a member behind.
func (j *joining) requireID() {
	id := j.state.newMemberID(j.c.ClientID)
	j.g.pending[id] = true
	j.t.Arm(timerKey{sessionTimer, j.g.id, id}, j.t.Now.Add(millis(j.req.SessionTimeoutMillis)))
	j.refuse(id, kerr.MemberIDRequired)
}

// add makes the client a member.
func (j *joining) add(id string) {
	g, t := j.g, j.t
	m := &member{id: id, instanceID: j.req.InstanceID, clientID: j.c.ClientID, clientHost: j.c.ClientHost, isNew: true}
	j.fill(m)
	if len(g.members) == 0 {
		g.protocolType = j.req.ProtocolType
	}
	if g.phase == preparing && g.before == empty {
		g.newcomers = true
	}
	g.add(m)
	g.await(t, m, j.answer)
	t.Arm(timerKey{sessionTimer, g.id, m.id}, t.Now.Add(newMemberTimeout))
	j.state.rebalanceOrComplete(t, g, j.reason("member "+id+" joins"))
}

// fill sets what a member brings with every JoinGroup.
func (j *joining) fill(m *member) {
	m.session, m.rebalance = millis(j.req.SessionTimeoutMillis), millis(j.req.RebalanceTimeoutMillis)
	if j.req.Version == 0 {
		m.rebalance = m.session
	}
	m.protocols = make([]kmsg.JoinGroupRequestProtocol, len(j.req.Protocols))
	for i, p := range j.req.Protocols {
		m.protocols[i] = kmsg.JoinGroupRequestProtocol{Name: p.Name, Metadata: append([]byte{}, p.Metadata...)}
	}
}

// update takes what a member brings when it joins again, and starts a rebalance or goes
// on with one.
func (j *joining) update(m *member, what string) {
	j.g.count(m, -1)
	j.fill(m)
	j.g.count(m, 1)
	j.g.await(j.t, m, j.answer)
	j.state.rebalanceOrComplete(j.t, j.g, j.reason(what))
}

// known is a JoinGroup with a member id: the first with an id that was given out, or
// that of a member which joins again.
func (j *joining) known() {
	g, id := j.g, j.req.MemberID
	if g.pending[id] && j.req.InstanceID == nil {
		j.add(id)
		return
	}
	if err := g.check(id, j.req.InstanceID); err != nil {
		j.refuse(id, err)
		return
	}
	m := g.byID[id]
	same := m.matches(j.req.Protocols)
	switch {
	case g.phase == preparing:
		j.update(m, "member "+id+" joins while the group gathers")
	case g.phase == stable && id == g.leader:
		j.update(m, "leader "+id+" joins again") // the leader does so to have a rebalance
	case !same:
		j.update(m, "member "+id+" joins with other metadata")
	default:
		// It lost the answer, or wants to know where the group is: no reason to disturb it.
		j.answer.Give(j.t, g.joined(m), nil)
	}
}

// static is a JoinGroup with an instance id and no member id (KIP-345): a new static
// member, or one whose process was started again and takes the place of the old one.
func (j *joining) static() {
	id := j.state.newMemberID(*j.req.InstanceID)
	old := j.g.static[*j.req.InstanceID]
	if old == nil {
		j.add(id)
		return
	}
	leader := j.g.leader
	m := j.replace(old, id)
	switch j.g.phase {
	case stable:
		if *j.g.protocol == j.g.choose() {
			j.keepGeneration(m, leader)
			return
		}
		j.wait(m, "static member "+id+" changes the protocol")
	case completing:
		j.wait(m, "static member "+id+" is back")
	default:
		j.wait(m, "")
	}
}

// replace puts a new member id in the place of an old one, whose owner is fenced.
func (j *joining) replace(old *member, id string) *member {
	g, t := j.g, j.t
	g.answerJoin(t, old, joined{memberID: old.id}, kerr.FencedInstanceID)
	g.answerSync(t, old, synced{}, kerr.FencedInstanceID)
	disarmSession(t, g, old.id)
	g.count(old, -1)
	delete(g.byID, old.id)
	wasLeader, unsynced := g.leader == old.id, g.unsynced[old.id]
	delete(g.unsynced, old.id)
	old.id = id // the member keeps its place and its assignment
	g.byID[id] = old
	if wasLeader {
		g.leader = id
	}
	if unsynced {
		g.unsynced[id] = true
	}
	j.fill(old)
	g.count(old, 1)
	j.state.armSession(t, g, old)
	return old
}

// wait lets a static member that came back wait for the next generation.
func (j *joining) wait(m *member, why string) {
	j.g.await(j.t, m, j.answer)
	j.state.rebalanceOrComplete(j.t, j.g, j.reason(why))
}

// keepGeneration answers a static member that came back to a stable group which it does
// not change: there is no rebalance, only the log learns of the new id. A leader is told
// to leave the assignment as it is (KIP-814); one too old to know of that sees the old
// leader's id, so that it takes itself for a follower.
func (j *joining) keepGeneration(m *member, leader string) {
	g := j.g
	r := groupRecord(g.id, g.record(func(m *member) []byte { return m.assignment }))
	if len(r.Key)+len(r.Value) >= j.t.MaxBytes {
		j.wait(m, "static member "+m.id+" grows the group beyond a record")
		return
	}
	answer := g.joined(m)
	if j.req.Version >= 9 {
		answer.skipAssignment = m.id == g.leader
	} else {
		answer.members, answer.leader = nil, leader
	}
	j.t.Write(r)
	j.answer.Give(j.t, answer, nil)
}
