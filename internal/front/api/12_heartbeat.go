package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Heartbeat, key 12, versions 0 to 4 (3: static members, KIP-345; 4: flexible).
func (s *Server) heartbeat(ctx context.Context, r *Request, req *kmsg.HeartbeatRequest) (kmsg.Response, error) {
	return s.cfg.Groups.Heartbeat(ctx, r.caller(), req), nil
}
