package api

import (
	"context"
	"slices"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConsumerGroupHeartbeat, key 68, versions 0 and 1 (KIP-848).
//
//	1  subscriptions by a regular expression; clients make their member ids (KIP-1082)
func (s *Server) consumerGroupHeartbeat(ctx context.Context, r *Request, req *kmsg.ConsumerGroupHeartbeatRequest) (kmsg.Response, error) {
	if !s.consumerGroups(r.Image) {
		resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		return resp, nil
	}
	return s.cfg.Groups.ConsumerGroupHeartbeat(ctx, r.caller(), req), nil
}

// groupVersion is the feature whose level 1 allows consumer groups.
const groupVersion = "group.version"

// consumerGroups reports whether consumer groups are served.
func (s *Server) consumerGroups(image *metadata.Image) bool {
	return image.Feature(groupVersion) >= 1 &&
		slices.Contains(config.GroupCoordinatorRebalanceProtocols.Get(s.cfg.Settings()), "consumer")
}
