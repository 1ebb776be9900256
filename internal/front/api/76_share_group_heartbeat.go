package api

import (
	"context"
	"slices"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ShareGroupHeartbeat, key 76, version 1 (KIP-932). Version 0 was of an early access.
func (s *Server) shareGroupHeartbeat(ctx context.Context, r *Request, req *kmsg.ShareGroupHeartbeatRequest) (kmsg.Response, error) {
	if !s.shareGroups(r.Image) {
		resp := req.ResponseKind().(*kmsg.ShareGroupHeartbeatResponse)
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		return resp, nil
	}
	return s.cfg.Groups.ShareGroupHeartbeat(ctx, r.caller(), req), nil
}

// shareVersion is the feature whose level 1 allows share groups.
const shareVersion = "share.version"

// shareGroups reports whether share groups are served: because the cluster says so, or
// because a setting does, as in Kafka's early access.
func (s *Server) shareGroups(image *metadata.Image) bool {
	v := s.cfg.Settings()
	return image.Feature(shareVersion) >= 1 || config.GroupShareEnable.Get(v) ||
		slices.Contains(config.GroupCoordinatorRebalanceProtocols.Get(v), "share")
}
