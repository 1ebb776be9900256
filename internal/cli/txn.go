package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() { nouns = append(nouns, txnCommand) }

func txnCommand(a *App) *cobra.Command {
	return noun("txn", "Look at transactions, find those that hang, abort them",
		txnList(a), txnDescribe(a), txnFindHanging(a), txnAbort(a))
}

type txnItem struct {
	ID          string `json:"id"`
	State       string `json:"state"`
	Producer    int64  `json:"producerId"`
	Coordinator int32  `json:"coordinator"`
}

// txnFilter chooses transactions. The zero value but for longer, which is -1, takes all.
type txnFilter struct {
	states    []string
	producers []int64
	pattern   string
	longer    time.Duration // only those that run for longer; negative: all
}

func txnList(a *App) *cobra.Command {
	f := txnFilter{}
	c := &cobra.Command{
		Use:   "list",
		Short: "List transactional ids and the state of their transactions",
		Example: `  odradek txn list
  odradek txn list --state Ongoing --longer-than 1m
  odradek txn list --pattern 'pay-.*' -o name`,
		Args: exactly(),
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, _ []string) error {
			l := &listing{kind: "TransactionList", columns: []string{"id", "state", "producer", "coordinator"}}
			txns, err := listTxns(ctx, cl, f, l)
			if err != nil {
				return err
			}
			for _, t := range txns {
				l.add(t, t.ID, t.State, fmt.Sprint(t.Producer), fmt.Sprint(t.Coordinator))
			}
			return a.print(l)
		}),
	}
	c.Flags().StringSliceVar(&f.states, "state", nil, "only transactions in these states: Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort")
	c.Flags().Int64SliceVar(&f.producers, "producer", nil, "only transactions of these producer ids")
	c.Flags().StringVar(&f.pattern, "pattern", "", "only ids that match this regular expression as a whole")
	c.Flags().DurationVar(&f.longer, "longer-than", -1, "only transactions that run for longer than this")
	return c
}

// listTxns asks every broker for the transactions that it coordinates. Brokers that do not
// answer become errors of l; if none does, that is the error.
func listTxns(ctx context.Context, cl *kgo.Client, f txnFilter, l *listing) ([]txnItem, error) {
	req := kmsg.NewPtrListTransactionsRequest()
	req.StateFilters, req.ProducerIDFilters, req.DurationFilterMillis = f.states, f.producers, -1
	if f.longer >= 0 {
		req.DurationFilterMillis = f.longer.Milliseconds()
	}
	if f.pattern != "" {
		req.TransactionalIDPattern = &f.pattern
	}
	var out []txnItem
	err := everyBroker(ctx, cl, req, l, func(broker int32, kresp kmsg.Response) error {
		resp := kresp.(*kmsg.ListTransactionsResponse)
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			return err
		}
		if len(resp.UnknownStateFilters) > 0 {
			return usagef("the cluster knows no state %s", strings.Join(resp.UnknownStateFilters, ", "))
		}
		for _, t := range resp.TransactionStates {
			out = append(out, txnItem{t.TransactionalID, t.TransactionState, t.ProducerID, broker})
		}
		return nil
	})
	slices.SortFunc(out, func(x, y txnItem) int { return strings.Compare(x.ID, y.ID) })
	return out, err
}

// describedTxns are transactions by id. One that does not exist has an error of its own.
func describedTxns(ctx context.Context, cl *kgo.Client, ids []string) (kadm.DescribedTransactions, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return kadm.NewClient(cl).DescribeTransactions(ctx, ids...)
}
