package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ReadShareGroupStateSummary, key 87, versions 0 and 1 (KIP-932). Group coordinators ask it
// how far a share group is.
//
//	1  how many records from the start on are done with (KIP-1226)
func (s *Server) readShareGroupStateSummary(ctx context.Context, _ *Request, req *kmsg.ReadShareGroupStateSummaryRequest) (kmsg.Response, error) {
	return s.cfg.Shares.ReadStateSummary(ctx, req), nil
}
