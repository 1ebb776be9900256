package api

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// BrokerHeartbeat, key 63, versions 0 and 1 (1: folders that have failed, KIP-858): a
// broker says that it lives, and what it wants.
func (s *Server) brokerHeartbeat(ctx context.Context, _ *Request, req *kmsg.BrokerHeartbeatRequest) (kmsg.Response, error) {
	ctx, cancel := s.patience(ctx, 0)
	defer cancel()
	r, err := s.cfg.Controller.Heartbeat(ctx, controller.Heartbeat{
		ID: req.BrokerID, Epoch: req.BrokerEpoch, MetadataOffset: req.CurrentMetadataOffset,
		WantFence: req.WantFence, WantShutDown: req.WantShutdown, OfflineDirs: ids(req.OfflineLogDirs),
	})
	if err != nil {
		return nil, err
	}
	resp := kmsg.NewPtrBrokerHeartbeatResponse()
	resp.IsCaughtUp, resp.IsFenced, resp.ShouldShutdown = r.CaughtUp, r.Fenced, r.ShouldShutDown
	return resp, nil
}

func failBrokerHeartbeat(_ *kmsg.BrokerHeartbeatRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrBrokerHeartbeatResponse()
	resp.ErrorCode, resp.IsFenced = model.ErrorCode(err), true
	return resp
}
