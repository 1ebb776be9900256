package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeGroups, key 15, versions 0 to 6.
//
//	3  authorized operations (KIP-430)
//	4  instance ids (KIP-345)
//	5  flexible
//	6  GROUP_ID_NOT_FOUND and an error message where a group was called Dead (KIP-1043)
func (s *Server) describeGroups(ctx context.Context, r *Request, req *kmsg.DescribeGroupsRequest) (kmsg.Response, error) {
	resp := s.cfg.Groups.DescribeGroups(ctx, r.caller(), req)
	if r.Version >= 3 && req.IncludeAuthorizedOperations {
		for i := range resp.Groups {
			if resp.Groups[i].ErrorCode == 0 {
				resp.Groups[i].AuthorizedOperations = groupOperations
			}
		}
	}
	return resp, nil
}
