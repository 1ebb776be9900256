package api

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/member"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ControllerRegistration, key 70, version 0 (KIP-919): a node of the quorum says where it
// is and what it supports. Nodes of this house say in a tagged field of their own which
// metadata folder they have.
func (s *Server) controllerRegistration(ctx context.Context, _ *Request, req *kmsg.ControllerRegistrationRequest) (kmsg.Response, error) {
	ctx, cancel := s.patience(ctx, 0)
	defer cancel()
	c := metadata.Controller{ID: req.ControllerID, Incarnation: req.IncarnationID}
	req.UnknownTags.Each(func(tag uint32, value []byte) {
		if tag == member.DirectoryTag && len(value) == len(c.Directory) {
			c.Directory = model.ID(value)
		}
	})
	for _, l := range req.Listeners {
		c.Endpoints = append(c.Endpoints, metadata.Endpoint{
			Listener: l.Name, Host: l.Host, Port: int32(l.Port), Protocol: l.SecurityProtocol,
		})
	}
	for _, f := range req.Features {
		c.Features = append(c.Features, metadata.FeatureRange{Name: f.Name, Min: f.MinSupportedVersion, Max: f.MaxSupportedVersion})
	}
	if err := s.cfg.Controller.RegisterController(ctx, c); err != nil {
		return nil, err
	}
	return kmsg.NewPtrControllerRegistrationResponse(), nil
}

func failControllerRegistration(_ *kmsg.ControllerRegistrationRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrControllerRegistrationResponse()
	resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
	return resp
}
