package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// JoinGroup, key 11, versions 0 to 9. Versions 0 and 1 stay for librdkafka, which
// judges by them whether there are groups at all (KAFKA-19444).
//
//	1  rebalance timeout
//	4  MEMBER_ID_REQUIRED (KIP-394)
//	5  static members (KIP-345)
//	6  flexible
//	7  protocol type in answers (KIP-559)
//	8  reason (KIP-800)
//	9  skipAssignment (KIP-814)
func (s *Server) joinGroup(ctx context.Context, r *Request, req *kmsg.JoinGroupRequest) (kmsg.Response, error) {
	return s.cfg.Groups.JoinGroup(ctx, r.caller(), req), nil
}
