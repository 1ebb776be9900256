package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SyncGroup, key 14, versions 0 to 5.
//
//	3  static members (KIP-345)
//	4  flexible
//	5  protocol type and name, which must be there (KIP-559)
func (s *Server) syncGroup(ctx context.Context, r *Request, req *kmsg.SyncGroupRequest) (kmsg.Response, error) {
	if r.Version >= 5 && (req.ProtocolType == nil || req.Protocol == nil) {
		resp := kmsg.NewPtrSyncGroupResponse()
		resp.ErrorCode = kerr.InconsistentGroupProtocol.Code
		return resp, nil
	}
	return s.cfg.Groups.SyncGroup(ctx, r.caller(), req), nil
}
