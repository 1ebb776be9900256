package group

import (
	"context"
	"errors"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LeaveGroup removes members, one before version 3 and several since (KIP-345).
func (s *Service) LeaveGroup(ctx context.Context, _ Caller, req *kmsg.LeaveGroupRequest) *kmsg.LeaveGroupResponse {
	resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	if req.Group == "" {
		resp.ErrorCode = kerr.InvalidGroupID.Code
		return resp
	}
	leavers := req.Members
	if req.Version < 3 {
		leavers = []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	}
	left, err := do(ctx, s, req.Group, runtime.Alone, func(st *state, t *runtime.Turn) ([]error, error) {
		return st.leave(t, req.Group, leavers)
	})
	if errors.Is(err, kerr.UnknownMemberID) { // the whole group is: so is each of them
		left, err = make([]error, len(leavers)), nil
		for i := range left {
			left[i] = kerr.UnknownMemberID
		}
	}
	resp.ErrorCode = code(err)
	if err != nil {
		return resp
	}
	if req.Version < 3 {
		resp.ErrorCode = code(left[0])
		return resp
	}
	for i, m := range leavers {
		resp.Members = append(resp.Members, kmsg.LeaveGroupResponseMember{
			MemberID: m.MemberID, InstanceID: m.InstanceID, ErrorCode: code(left[i]),
		})
	}
	return resp
}

// leave removes each of the leavers and says for each why not.
func (st *state) leave(t *runtime.Turn, id string, leavers []kmsg.LeaveGroupRequestMember) ([]error, error) {
	if cg := st.consumers[id]; cg != nil {
		return st.leaveAsClassic(t, cg, leavers)
	}
	g := st.groups[id]
	if g == nil {
		return nil, kerr.UnknownMemberID
	}
	errs, some := make([]error, len(leavers)), false
	for i, l := range leavers {
		errs[i] = st.leaveOne(t, g, l)
		some = some || errs[i] == nil
	}
	if some && g.phase != empty {
		st.rebalanceOrComplete(t, g, "members left")
	}
	return errs, nil
}

func (st *state) leaveOne(t *runtime.Turn, g *group, l kmsg.LeaveGroupRequestMember) error {
	id := l.MemberID
	if id == "" { // an admin names the instance alone
		if l.InstanceID == nil || g.static[*l.InstanceID] == nil {
			return kerr.UnknownMemberID
		}
		id = g.static[*l.InstanceID].id
	} else if g.pending[id] {
		g.remove(id)
		disarmSession(t, g, id)
		return nil
	} else if err := g.check(id, l.InstanceID); err != nil {
		return err
	}
	reason := "not provided"
	if l.Reason != nil {
		reason = *l.Reason
	}
	st.log.Info("group member left", "group", g.id, "member", id, "reason", reason)
	g.drop(t, g.byID[id], kerr.UnknownMemberID)
	return nil
}
