package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeTransactions, key 65, version 0.
func (s *Server) describeTransactions(ctx context.Context, _ *Request, req *kmsg.DescribeTransactionsRequest) (kmsg.Response, error) {
	return s.cfg.Transactions.DescribeTransactions(ctx, req), nil
}
