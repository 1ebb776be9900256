package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteShareGroupState, key 86, version 0 (KIP-932). Group coordinators ask it when a
// share group or its offsets of a topic are deleted.
func (s *Server) deleteShareGroupState(ctx context.Context, _ *Request, req *kmsg.DeleteShareGroupStateRequest) (kmsg.Response, error) {
	return s.cfg.Shares.DeleteState(ctx, req), nil
}
