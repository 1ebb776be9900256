package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AddRaftVoter, key 80, versions 0 and 1 (KIP-853; 1: AckWhenCommitted, as it always is
// here): gives a node a vote in the quorum. Its endpoints are those that it registered.
func (s *Server) addRaftVoter(ctx context.Context, r *Request, req *kmsg.AddRaftVoterRequest) (kmsg.Response, error) {
	ctx, cancel := s.patience(ctx, req.TimeoutMillis)
	defer cancel()
	if err := checkCluster(r, req.ClusterID); err != nil {
		return nil, err
	}
	if s.votes(req.VoterID) {
		return nil, model.Explain(kerr.DuplicateVoter, fmt.Sprintf("The voter %d is already part of the set of voters.", req.VoterID))
	}
	if err := s.cfg.Controller.AddVoter(ctx, req.VoterID, req.VoterDirectoryID); err != nil {
		return nil, err
	}
	return kmsg.NewPtrAddRaftVoterResponse(), nil
}

// checkCluster refuses what was meant for another cluster.
func checkCluster(r *Request, asked *string) error {
	if asked != nil && *asked != r.Image.ClusterID {
		return model.Explain(kerr.InconsistentClusterID,
			fmt.Sprintf("Expected cluster ID %s, but got cluster ID %s", r.Image.ClusterID, *asked))
	}
	return nil
}

func (s *Server) votes(id int32) bool {
	return slices.ContainsFunc(s.cfg.Quorum().Voters, func(v quorum.Replica) bool { return v.Node == id })
}

func failAddRaftVoter(_ *kmsg.AddRaftVoterRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrAddRaftVoterResponse()
	resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
	return resp
}
