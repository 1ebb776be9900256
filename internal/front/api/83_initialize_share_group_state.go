package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// InitializeShareGroupState, key 83, version 0 (KIP-932). Group coordinators ask it before
// a share group reads a partition, and to begin elsewhere.
func (s *Server) initializeShareGroupState(ctx context.Context, _ *Request, req *kmsg.InitializeShareGroupStateRequest) (kmsg.Response, error) {
	return s.cfg.Shares.InitializeState(ctx, req), nil
}
