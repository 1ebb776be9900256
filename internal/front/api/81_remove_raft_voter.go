package api

import (
	"context"
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// RemoveRaftVoter, key 81, version 0 (KIP-853): takes a node's vote in the quorum.
func (s *Server) removeRaftVoter(ctx context.Context, r *Request, req *kmsg.RemoveRaftVoterRequest) (kmsg.Response, error) {
	ctx, cancel := s.patience(ctx, 0)
	defer cancel()
	if err := checkCluster(r, req.ClusterID); err != nil {
		return nil, err
	}
	if !s.votes(req.VoterID) {
		return nil, model.Explain(kerr.VoterNotFound, fmt.Sprintf("The voter %d is not part of the set of voters.", req.VoterID))
	}
	if err := s.cfg.Controller.RemoveVoter(ctx, req.VoterID, req.VoterDirectoryID); err != nil {
		return nil, err
	}
	return kmsg.NewPtrRemoveRaftVoterResponse(), nil
}

func failRemoveRaftVoter(_ *kmsg.RemoveRaftVoterRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrRemoveRaftVoterResponse()
	resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
	return resp
}
