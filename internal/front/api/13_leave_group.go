package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// LeaveGroup, key 13, versions 0 to 5.
//
//	3  many members, by instance id too (KIP-345)
//	4  flexible
//	5  reasons (KIP-800)
func (s *Server) leaveGroup(ctx context.Context, r *Request, req *kmsg.LeaveGroupRequest) (kmsg.Response, error) {
	return s.cfg.Groups.LeaveGroup(ctx, r.caller(), req), nil
}
