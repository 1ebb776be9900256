package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ReadShareGroupState, key 84, version 0 (KIP-932). Leaders of partitions ask it before
// they deliver to a share group.
func (s *Server) readShareGroupState(ctx context.Context, _ *Request, req *kmsg.ReadShareGroupStateRequest) (kmsg.Response, error) {
	return s.cfg.Shares.ReadState(ctx, req), nil
}
