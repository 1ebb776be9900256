package api

import (
	"context"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// UnregisterBroker, key 64, version 0 (KIP-631): forgets a broker that will not come
// back.
func (s *Server) unregisterBroker(ctx context.Context, _ *Request, req *kmsg.UnregisterBrokerRequest) (kmsg.Response, error) {
	ctx, cancel := s.patience(ctx, 0)
	defer cancel()
	if err := s.cfg.Controller.UnregisterBroker(ctx, req.BrokerID); err != nil {
		return nil, err
	}
	return kmsg.NewPtrUnregisterBrokerResponse(), nil
}

func failUnregisterBroker(_ *kmsg.UnregisterBrokerRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrUnregisterBrokerResponse()
	resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
	return resp
}
