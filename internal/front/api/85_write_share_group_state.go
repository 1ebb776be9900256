package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// WriteShareGroupState, key 85, versions 0 and 1 (KIP-932). Leaders of partitions ask it
// when records were delivered, acknowledged or given up.
//
//	1  how many records from the start on are done with (KIP-1226)
func (s *Server) writeShareGroupState(ctx context.Context, _ *Request, req *kmsg.WriteShareGroupStateRequest) (kmsg.Response, error) {
	return s.cfg.Shares.WriteState(ctx, req), nil
}
