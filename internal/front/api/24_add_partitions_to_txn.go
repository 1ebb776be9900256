package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// AddPartitionsToTxn, key 24, versions 0 to 5.
//
//	2  PRODUCER_FENCED in place of INVALID_PRODUCER_EPOCH
//	3  flexible; the last that clients send
//	4  from brokers: many transactions, and whether partitions are in them (KIP-890)
//	5  TRANSACTION_ABORTABLE (KIP-890)
func (s *Server) addPartitionsToTxn(ctx context.Context, _ *Request, req *kmsg.AddPartitionsToTxnRequest) (kmsg.Response, error) {
	return s.cfg.Transactions.AddPartitionsToTxn(ctx, req), nil
}
