package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeShareGroupOffsets, key 90, versions 0 and 1 (KIP-932).
//
//	1  lag (KIP-1226)
func (s *Server) describeShareGroupOffsets(ctx context.Context, r *Request, req *kmsg.DescribeShareGroupOffsetsRequest) (kmsg.Response, error) {
	if !s.shareGroups(r.Image) {
		resp := req.ResponseKind().(*kmsg.DescribeShareGroupOffsetsResponse)
		for i := range req.Groups {
			g := kmsg.NewDescribeShareGroupOffsetsResponseGroup()
			g.GroupID, g.ErrorCode = req.Groups[i].GroupID, kerr.UnsupportedVersion.Code
			resp.Groups = append(resp.Groups, g)
		}
		return resp, nil
	}
	return s.cfg.Groups.DescribeShareGroupOffsets(ctx, r.caller(), req), nil
}
