package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListGroups, key 16, versions 0 to 5.
//
//	3  flexible
//	4  states, asked for and answered (KIP-518)
//	5  types, asked for and answered (KIP-848)
func (s *Server) listGroups(ctx context.Context, r *Request, req *kmsg.ListGroupsRequest) (kmsg.Response, error) {
	return s.cfg.Groups.ListGroups(ctx, r.caller(), req), nil
}
