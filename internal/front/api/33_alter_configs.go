package api

import (
	"context"
	"errors"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterConfigs, key 33, versions 0 to 2 (2: flexible). It replaces all configs of a
// resource, and is still used by old tools; IncrementalAlterConfigs took its place.
func (s *Server) alterConfigs(ctx context.Context, r *Request, req *kmsg.AlterConfigsRequest) (kmsg.Response, error) {
	list := make([]altered, len(req.Resources))
	for i, q := range req.Resources {
		list[i].resource = resource(q.ResourceType, q.ResourceName)
		for _, c := range q.Configs {
			list[i].changes = append(list[i].changes, controller.ConfigChange{Key: c.Name, Value: c.Value})
		}
	}
	errs := s.checkAltered(r, list)
	var ask []controller.LegacyAlter
	var asked []int
	for i, a := range list {
		if errs[i] == nil && a.resource.Type == metadata.BrokerLoggerResource {
			errs[i] = invalid("Unknown resource type %d", a.resource.Type)
		}
		if errs[i] != nil {
			continue
		}
		alter := controller.LegacyAlter{Resource: a.resource}
		for _, c := range a.changes {
			alter.Configs = append(alter.Configs, controller.Config{Key: c.Key, Value: c.Value})
		}
		ask, asked = append(ask, alter), append(asked, i)
	}
	if len(ask) > 0 {
		ctx, cancel := s.patience(ctx, 0)
		defer cancel()
		results, err := s.askAlter(ctx, r, req, ask, asked)
		if r.PassedOn && errors.Is(err, kerr.NotController) {
			return nil, err
		}
		fill(errs, asked, results, err)
	}
	resp := kmsg.NewPtrAlterConfigsResponse()
	for i, q := range req.Resources {
		resp.Resources = append(resp.Resources, kmsg.AlterConfigsResponseResource{
			ResourceType: q.ResourceType, ResourceName: q.ResourceName,
			ErrorCode: model.ErrorCode(errs[i]), ErrorMessage: model.ErrorMessage(errs[i])})
	}
	return resp, nil
}

// askAlter has the controller decide on those resources of the request that are asked.
func (s *Server) askAlter(ctx context.Context, r *Request, req *kmsg.AlterConfigsRequest, ask []controller.LegacyAlter, asked []int) ([]controller.ConfigResult, error) {
	if r.PassedOn || s.cfg.Ask == nil {
		return s.cfg.Controller.AlterConfigs(ctx, ask, req.ValidateOnly)
	}
	part := kmsg.NewPtrAlterConfigsRequest()
	part.ValidateOnly, part.Resources = req.ValidateOnly, pick(req.Resources, asked)
	answer, err := s.cfg.Ask(ctx, part)
	if err != nil {
		return nil, unanswered(err)
	}
	var results []controller.ConfigResult
	for _, t := range answer.(*kmsg.AlterConfigsResponse).Resources {
		results = append(results, controller.ConfigResult{
			Resource: resource(t.ResourceType, t.ResourceName), Err: told(t.ErrorCode, t.ErrorMessage)})
	}
	return results, nil
}
