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

// IncrementalAlterConfigs, key 44, versions 0 and 1 (KIP-339; 1: flexible). It sets and
// deletes configs one by one, and adds to and takes from those that are lists. The log
// level of this broker is changed here and now, and forgotten with the process
// (KIP-412).
func (s *Server) incrementalAlterConfigs(ctx context.Context, r *Request, req *kmsg.IncrementalAlterConfigsRequest) (kmsg.Response, error) {
	list := make([]altered, len(req.Resources))
	for i, q := range req.Resources {
		list[i].resource = resource(q.ResourceType, q.ResourceName)
		for _, c := range q.Configs {
			list[i].changes = append(list[i].changes,
				controller.ConfigChange{Key: c.Name, Op: controller.ConfigOp(c.Op), Value: c.Value})
		}
	}
	errs := s.checkAltered(r, list)
	var ask []controller.IncrementalAlter
	var asked []int
	for i, a := range list {
		switch {
		case errs[i] != nil:
		case a.resource.Type == metadata.BrokerLoggerResource:
			errs[i] = s.alterLogLevel(a.changes, req.ValidateOnly)
		default:
			ask = append(ask, controller.IncrementalAlter{Resource: a.resource, Changes: a.changes})
			asked = append(asked, i)
		}
	}
	if len(ask) > 0 {
		ctx, cancel := s.patience(ctx, 0)
		defer cancel()
		results, err := s.askIncremental(ctx, r, req, ask, asked)
		if r.PassedOn && errors.Is(err, kerr.NotController) {
			return nil, err
		}
		fill(errs, asked, results, err)
	}
	resp := kmsg.NewPtrIncrementalAlterConfigsResponse()
	for i, q := range req.Resources {
		resp.Resources = append(resp.Resources, kmsg.IncrementalAlterConfigsResponseResource{
			ResourceType: q.ResourceType, ResourceName: q.ResourceName,
			ErrorCode: model.ErrorCode(errs[i]), ErrorMessage: model.ErrorMessage(errs[i])})
	}
	return resp, nil
}

// askIncremental has the controller decide on those resources of the request that are
// asked.
func (s *Server) askIncremental(ctx context.Context, r *Request, req *kmsg.IncrementalAlterConfigsRequest, ask []controller.IncrementalAlter, asked []int) ([]controller.ConfigResult, error) {
	if r.PassedOn || s.cfg.Ask == nil {
		return s.cfg.Controller.IncrementalAlterConfigs(ctx, ask, req.ValidateOnly)
	}
	part := kmsg.NewPtrIncrementalAlterConfigsRequest()
	part.ValidateOnly, part.Resources = req.ValidateOnly, pick(req.Resources, asked)
	answer, err := s.cfg.Ask(ctx, part)
	if err != nil {
		return nil, unanswered(err)
	}
	var results []controller.ConfigResult
	for _, t := range answer.(*kmsg.IncrementalAlterConfigsResponse).Resources {
		results = append(results, controller.ConfigResult{
			Resource: resource(t.ResourceType, t.ResourceName), Err: told(t.ErrorCode, t.ErrorMessage)})
	}
	return results, nil
}
