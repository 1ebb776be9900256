package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListTransactions, key 66, versions 0 to 2.
//
//	1  those that last longer than a time (KIP-994)
//	2  those whose id matches a pattern (KIP-1152)
func (s *Server) listTransactions(ctx context.Context, _ *Request, req *kmsg.ListTransactionsRequest) (kmsg.Response, error) {
	return s.cfg.Transactions.ListTransactions(ctx, req), nil
}
