package api

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// UpdateFeatures, key 57, versions 0 to 2.
//
//	1  kind of update instead of a flag, validateOnly
//	2  one error for all: either every update happens or none
func (s *Server) updateFeatures(ctx context.Context, r *Request, req *kmsg.UpdateFeaturesRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrUpdateFeaturesResponse()
	var updates []controller.FeatureUpdate
	for _, u := range req.FeatureUpdates {
		updates = append(updates, controller.FeatureUpdate{
			Name: u.Feature, Level: u.MaxVersionLevel, Type: upgradeType(r.Version, u)})
	}
	ctx, cancel := s.patience(ctx, req.TimeoutMillis)
	defer cancel()
	results, err := s.cfg.Controller.UpdateFeatures(ctx, updates, req.ValidateOnly)
	if err != nil {
		return nil, err
	}
	for _, f := range results {
		if err == nil && f.Err != nil && r.Version >= 2 {
			err = f.Err
		}
		resp.Results = append(resp.Results, kmsg.UpdateFeaturesResponseResult{Feature: f.Name,
			ErrorCode: model.ErrorCode(f.Err), ErrorMessage: model.ErrorMessage(f.Err)})
	}
	resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
	return resp, nil
}

func upgradeType(version int16, u kmsg.UpdateFeaturesRequestFeatureUpdate) controller.FeatureUpgrade {
	switch {
	case version >= 1:
		return controller.FeatureUpgrade(u.UpgradeType)
	case u.AllowDowngrade:
		return controller.SafeDowngrade
	default:
		return controller.Upgrade
	}
}

func failUpdateFeatures(_ *kmsg.UpdateFeaturesRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrUpdateFeaturesResponse()
	resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
	return resp
}
