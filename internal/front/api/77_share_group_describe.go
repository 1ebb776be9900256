package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ShareGroupDescribe, key 77, version 1 (KIP-932). Version 0 was of an early access.
func (s *Server) shareGroupDescribe(ctx context.Context, r *Request, req *kmsg.ShareGroupDescribeRequest) (kmsg.Response, error) {
	if !s.shareGroups(r.Image) {
		resp := req.ResponseKind().(*kmsg.ShareGroupDescribeResponse)
		for _, id := range req.GroupIDs {
			g := kmsg.NewShareGroupDescribeResponseGroup()
			g.GroupID, g.ErrorCode = id, kerr.UnsupportedVersion.Code
			resp.Groups = append(resp.Groups, g)
		}
		return resp, nil
	}
	resp := s.cfg.Groups.ShareGroupDescribe(ctx, r.caller(), req)
	for i := range resp.Groups {
		if req.IncludeAuthorizedOperations && resp.Groups[i].ErrorCode == 0 {
			resp.Groups[i].AuthorizedOperations = groupOperations
		}
	}
	return resp, nil
}
