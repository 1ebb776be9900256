package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteShareGroupOffsets, key 92, version 0 (KIP-932).
func (s *Server) deleteShareGroupOffsets(ctx context.Context, r *Request, req *kmsg.DeleteShareGroupOffsetsRequest) (kmsg.Response, error) {
	if !s.shareGroups(r.Image) {
		resp := req.ResponseKind().(*kmsg.DeleteShareGroupOffsetsResponse)
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		return resp, nil
	}
	return s.cfg.Groups.DeleteShareGroupOffsets(ctx, r.caller(), req), nil
}
