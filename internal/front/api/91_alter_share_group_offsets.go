package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterShareGroupOffsets, key 91, version 0 (KIP-932).
func (s *Server) alterShareGroupOffsets(ctx context.Context, r *Request, req *kmsg.AlterShareGroupOffsetsRequest) (kmsg.Response, error) {
	if !s.shareGroups(r.Image) {
		resp := req.ResponseKind().(*kmsg.AlterShareGroupOffsetsResponse)
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		return resp, nil
	}
	return s.cfg.Groups.AlterShareGroupOffsets(ctx, r.caller(), req), nil
}
