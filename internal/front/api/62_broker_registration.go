package api

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/member"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// BrokerRegistration, key 62, versions 0 to 4.
//
//	1  IsMigratingZkBroker, which no broker is
//	2  ids of the log folders (KIP-858)
//	3  the epoch of before a clean stop (KIP-966)
//	4  features whose lowest level is 0
func (s *Server) brokerRegistration(ctx context.Context, r *Request, req *kmsg.BrokerRegistrationRequest) (kmsg.Response, error) {
	if req.IsMigratingZkBroker {
		return nil, model.Explain(kerr.BrokerIDNotRegistered, "Controller does not support registering ZK brokers.")
	}
	ctx, cancel := s.patience(ctx, 0)
	defer cancel()
	ask := controller.Registration{
		ID: req.BrokerID, ClusterID: req.ClusterID, Incarnation: req.IncarnationID,
		Rack: req.Rack, LogDirs: ids(req.LogDirs), PreviousEpoch: -1,
	}
	if r.Version >= 3 {
		ask.PreviousEpoch = req.PreviousBrokerEpoch
	}
	for _, l := range req.Listeners {
		ask.Endpoints = append(ask.Endpoints, metadata.Endpoint{
			Listener: l.Name, Host: l.Host, Port: int32(l.Port), Protocol: l.SecurityProtocol,
		})
	}
	for _, f := range req.Features {
		ask.Features = append(ask.Features, metadata.FeatureRange{Name: f.Name, Min: f.MinSupportedVersion, Max: f.MaxSupportedVersion})
	}
	epoch, err := s.cfg.Controller.RegisterBroker(ctx, ask)
	if err != nil {
		return nil, err
	}
	resp := kmsg.NewPtrBrokerRegistrationResponse()
	resp.BrokerEpoch = epoch
	return resp, nil
}

func ids(list [][16]byte) []model.ID {
	var converted []model.ID
	for _, id := range list {
		converted = append(converted, id)
	}
	return converted
}

// failBrokerRegistration says why beside the code: Kafka's answer has no room for words,
// but for a tagged field that only members of this cluster read.
func failBrokerRegistration(_ *kmsg.BrokerRegistrationRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrBrokerRegistrationResponse()
	resp.ErrorCode, resp.BrokerEpoch = model.ErrorCode(err), -1
	if words := model.ErrorMessage(err); words != nil {
		resp.UnknownTags.Set(member.MessageTag, []byte(*words))
	}
	return resp
}
