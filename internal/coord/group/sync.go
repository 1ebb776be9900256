package group

import (
	"context"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SyncGroup answers with the member's assignment once the leader has brought it.
func (s *Service) SyncGroup(ctx context.Context, _ Caller, req *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse {
	resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
	if req.Group == "" {
		resp.ErrorCode = kerr.InvalidGroupID.Code
		return resp
	}
	got, err := await(ctx, s, req.Group, func(st *state, t *runtime.Turn, d *runtime.Deferred[synced]) {
		st.sync(t, req, d)
	})
	resp.ErrorCode, resp.MemberAssignment = code(err), []byte{}
	if err == nil {
		resp.ProtocolType, resp.Protocol = &got.protocolType, &got.protocol
		resp.MemberAssignment = append(resp.MemberAssignment, got.assignment...)
	}
	return resp
}

// synced is the answer to a member that asks for its assignment.
type synced struct {
	protocolType string
	protocol     string
	assignment   []byte
}

func (st *state) sync(t *runtime.Turn, req *kmsg.SyncGroupRequest, d *runtime.Deferred[synced]) {
	if cg := st.consumers[req.Group]; cg != nil {
		s, err := st.syncConsumerGroup(t, cg, req)
		d.Give(t, s, err)
		return
	}
	g := st.groups[req.Group]
	if st.syncOutcast(t, g, req.MemberID, d) {
		return
	}
	if err := g.checkSync(req); err != nil {
		d.Give(t, synced{}, err)
		return
	}
	m := g.byID[req.MemberID]
	delete(g.unsynced, m.id)
	if len(g.unsynced) == 0 {
		t.Disarm(timerKey{kind: syncTimer, group: g.id})
	}
	if g.phase == stable {
		d.Give(t, g.synced(m.assignment), nil)
		return
	}
	// Of two requests of one member the later one waits.
	g.answerSync(t, m, synced{}, kerr.RebalanceInProgress)
	m.syncing = d
	if m.id == g.leader {
		st.assign(t, g, req.GroupAssignment)
	}
}

// checkSync returns why a SyncGroup is not of this generation; g may be nil.
func (g *group) checkSync(req *kmsg.SyncGroupRequest) error {
	if g == nil || g.phase == empty {
		return kerr.UnknownMemberID
	}
	if err := g.check(req.MemberID, req.InstanceID); err != nil {
		return err
	}
	switch {
	case req.Generation != g.generation:
		return kerr.IllegalGeneration
	case req.ProtocolType != nil && g.protocolType != "" && *req.ProtocolType != g.protocolType,
		req.Protocol != nil && g.protocol != nil && *req.Protocol != *g.protocol:
		return kerr.InconsistentGroupProtocol
	case g.phase == preparing:
		return kerr.RebalanceInProgress
	}
	return nil
}

func (g *group) synced(assignment []byte) synced {
	return synced{protocolType: g.protocolType, protocol: *g.protocol, assignment: assignment}
}

// assign settles the generation with the leader's assignment: the log remembers it, and
// who waits for it gets it. Members that it leaves out get an empty one.
func (st *state) assign(t *runtime.Turn, g *group, brought []kmsg.SyncGroupRequestGroupAssignment) {
	assignments := make(map[string][]byte, len(brought))
	for _, a := range brought {
		assignments[a.MemberID] = append([]byte{}, a.MemberAssignment...)
	}
	of := func(m *member) []byte { return assignments[m.id] }
	before, phase, changed := g.before, g.phase, g.changed
	g.to(stable, t.Now)
	r := groupRecord(g.id, g.record(of))
	if len(r.Key)+len(r.Value) >= t.MaxBytes {
		g.before, g.phase, g.changed = before, phase, changed
		st.refuseAssignment(t, g, len(r.Value))
		return
	}
	t.Write(r)
	for _, m := range g.members {
		if m.syncing != nil {
			g.answerSync(t, m, g.synced(of(m)), nil)
			st.armSession(t, g, m)
		}
	}
}

// refuseAssignment answers an assignment that is larger than the log takes, and lets
// the group try again.
func (st *state) refuseAssignment(t *runtime.Turn, g *group, size int) {
	st.log.Error("assignment is larger than a record of __consumer_offsets may be", "group", g.id, "bytes", size, "limit", t.MaxBytes)
	for _, m := range g.members {
		m.assignment = nil
		if m.syncing != nil {
			g.answerSync(t, m, synced{}, kerr.UnknownServerError)
			st.armSession(t, g, m)
		}
	}
	st.prepare(t, g, "the assignment is too large")
}
