package api

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterConfigs, key 33, versions 0 to 2 (2: flexible). It replaces all configs of a
// resource, and is still used by old tools; IncrementalAlterConfigs took its place.
func (s *Server) alterConfigs(ctx context.Context, _ *Request, req *kmsg.AlterConfigsRequest) (kmsg.Response, error) {
	list := make([]altered, len(req.Resources))
	for i, q := range req.Resources {
		list[i].resource = resource(q.ResourceType, q.ResourceName)
		for _, c := range q.Configs {
			list[i].changes = append(list[i].changes, controller.ConfigChange{Key: c.Name, Value: c.Value})
		}
	}
	errs := s.checkAltered(list)
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
		results, err := s.cfg.Controller.AlterConfigs(ctx, ask, req.ValidateOnly)
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
