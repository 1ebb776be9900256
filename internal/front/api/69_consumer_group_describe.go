package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConsumerGroupDescribe, key 69, versions 0 and 1 (KIP-848).
//
//	1  which protocol each member uses (KIP-1099)
func (s *Server) consumerGroupDescribe(ctx context.Context, r *Request, req *kmsg.ConsumerGroupDescribeRequest) (kmsg.Response, error) {
	if !s.consumerGroups(r.Image) {
		resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
		for _, id := range req.Groups {
			g := kmsg.NewConsumerGroupDescribeResponseGroup()
			g.Group, g.ErrorCode = id, kerr.UnsupportedVersion.Code
			resp.Groups = append(resp.Groups, g)
		}
		return resp, nil
	}
	resp := s.cfg.Groups.ConsumerGroupDescribe(ctx, r.caller(), req)
	for i := range resp.Groups {
		if req.IncludeAuthorizedOperations && resp.Groups[i].ErrorCode == 0 {
			resp.Groups[i].AuthorizedOperations = groupOperations
		}
	}
	return resp, nil
}
