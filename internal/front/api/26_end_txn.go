package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// EndTxn, key 26, versions 0 to 5.
//
//	2  PRODUCER_FENCED in place of INVALID_PRODUCER_EPOCH
//	3  flexible
//	4  TRANSACTION_ABORTABLE (KIP-890)
//	5  every end gives the producer its next epoch (KIP-890)
func (s *Server) endTxn(ctx context.Context, _ *Request, req *kmsg.EndTxnRequest) (kmsg.Response, error) {
	return s.cfg.Transactions.EndTxn(ctx, req), nil
}
