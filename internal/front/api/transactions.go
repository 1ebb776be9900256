package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Transactions is the transaction coordinator: txn.Service. Its methods block until what
// they answer is committed, and answer errors in the response.
type Transactions interface {
	PartitionFor(transactionalID string) int32
	InitProducerID(context.Context, *kmsg.InitProducerIDRequest) *kmsg.InitProducerIDResponse
	AddPartitionsToTxn(context.Context, *kmsg.AddPartitionsToTxnRequest) *kmsg.AddPartitionsToTxnResponse
	AddOffsetsToTxn(context.Context, *kmsg.AddOffsetsToTxnRequest) *kmsg.AddOffsetsToTxnResponse
	EndTxn(context.Context, *kmsg.EndTxnRequest) *kmsg.EndTxnResponse
	DescribeTransactions(context.Context, *kmsg.DescribeTransactionsRequest) *kmsg.DescribeTransactionsResponse
	ListTransactions(context.Context, *kmsg.ListTransactionsRequest) *kmsg.ListTransactionsResponse
}
