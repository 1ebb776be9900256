package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// AddOffsetsToTxn, key 25, versions 0 to 4.
//
//	2  PRODUCER_FENCED in place of INVALID_PRODUCER_EPOCH
//	3  flexible
//	4  TRANSACTION_ABORTABLE (KIP-890)
func (s *Server) addOffsetsToTxn(ctx context.Context, _ *Request, req *kmsg.AddOffsetsToTxnRequest) (kmsg.Response, error) {
	return s.cfg.Transactions.AddOffsetsToTxn(ctx, req), nil
}
