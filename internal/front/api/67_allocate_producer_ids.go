package api

import (
	"context"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AllocateProducerIds, key 67, version 0 (KIP-730): gives a broker ids for producers.
func (s *Server) allocateProducerIDs(ctx context.Context, _ *Request, req *kmsg.AllocateProducerIDsRequest) (kmsg.Response, error) {
	ctx, cancel := s.patience(ctx, 0)
	defer cancel()
	block, err := s.cfg.Controller.AllocateProducerIDs(ctx, req.BrokerID, req.BrokerEpoch)
	if err != nil {
		return nil, err
	}
	resp := kmsg.NewPtrAllocateProducerIDsResponse()
	resp.ProducerIDStart, resp.ProducerIDLen = block.Start, block.Len
	return resp, nil
}

func failAllocateProducerIDs(_ *kmsg.AllocateProducerIDsRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrAllocateProducerIDsResponse()
	resp.ErrorCode = model.ErrorCode(err)
	return resp
}
