package group

import (
	"context"
	"errors"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Heartbeat keeps a member alive and tells it of a rebalance.
func (s *Service) Heartbeat(ctx context.Context, _ Caller, req *kmsg.HeartbeatRequest) *kmsg.HeartbeatResponse {
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	if req.Group == "" {
		resp.ErrorCode = kerr.InvalidGroupID.Code
		return resp
	}
	_, err := do(ctx, s, req.Group, runtime.Independent, func(st *state, t *runtime.Turn) (struct{}, error) {
		return struct{}{}, st.heartbeat(t, req)
	})
	// While groups are loaded members are given time, not errors.
	if !errors.Is(err, kerr.CoordinatorLoadInProgress) {
		resp.ErrorCode = code(err)
	}
	return resp
}

func (st *state) heartbeat(t *runtime.Turn, req *kmsg.HeartbeatRequest) error {
	if cg := st.consumers[req.Group]; cg != nil {
		return st.heartbeatConsumerGroup(t, cg, req)
	}
	g := st.groups[req.Group]
	if g == nil {
		return kerr.UnknownMemberID
	}
	if err := g.check(req.MemberID, req.InstanceID); err != nil {
		return err
	}
	if req.Generation != g.generation {
		return kerr.IllegalGeneration
	}
	st.armSession(t, g, g.byID[req.MemberID])
	if g.phase == preparing {
		return kerr.RebalanceInProgress
	}
	return nil
}
