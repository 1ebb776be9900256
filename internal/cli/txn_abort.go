package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func txnAbort(a *App) *cobra.Command {
	var start int64
	var dry bool
	c := &cobra.Command{
		Use:   "abort ID | TOPIC:PARTITION --start-offset N",
		Short: "Abort a transaction",
		Long: `Abort the transaction of a transactional id: its coordinator aborts it and fences its
producer, which has to begin anew.

With --start-offset, abort one that hangs in a partition: the partition's leader is told to
write the marker that its coordinator will not write. Do that only for what
odradek txn find-hanging lists: a part of a transaction that is still going on would be lost.`,
		Example: `  odradek txn abort pay-1 -y
  odradek txn abort orders:0 --start-offset 4711 --dry-run`,
		Args:              exactly("ID or TOPIC:PARTITION"),
		ValidArgsFunction: first(a.completeTxns, a.completeTopics),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		l := &listing{kind: "TransactionChange", columns: []string{"transaction", "status"}}
		if c.Flags().Changed("start-offset") {
			return a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
				return a.abortHanging(ctx, cl, args[0], start, dry, l)
			})(c, args)
		}
		return a.txnWork(func(ctx context.Context, cl *kgo.Client, args []string) error {
			return a.abortTxn(ctx, cl, args[0], dry, l)
		})(c, args)
	}
	c.Flags().Int64Var(&start, "start-offset", -1, "abort the transaction that begins here in the partition and hangs")
	dryRunFlag(c, &dry)
	return c
}

// abortTxn has the coordinator abort the transaction of an id.
func (a *App) abortTxn(ctx context.Context, cl *kgo.Client, id string, dry bool, l *listing) error {
	l.noun = "transaction"
	found, err := a.lookAtTxns(ctx, cl, []string{id}, l)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return a.print(l)
	}
	d := found[0]
	if !d.open() {
		l.fail(id, fmt.Errorf("it is %s: there is nothing to abort", d.State))
		return a.print(l)
	}
	if d.State != txnOngoing {
		l.fail(id, fmt.Errorf("it is %s: its end is decided. odradek explain txn says what that waits for", d.State))
		return a.print(l)
	}
	if !dry {
		preview := &listing{columns: []string{"id", "state", "partitions"}}
		preview.add(nil, d.ID, d.State, fmt.Sprint(len(d.Partitions)))
		if err := a.confirm(preview, fmt.Sprintf("Abort transaction %q and fence its producer?", id)); err != nil {
			return err
		}
		if err := forceAbort(ctx, cl, id, d.TimeoutMillis); err != nil {
			return fmt.Errorf("transaction %q: %w", id, err)
		}
	}
	done := status(dry, "abort", "aborted")
	l.add(change{id, done}, id, done)
	return a.print(l)
}

// forceAbort does what a new producer of the id would do first: the coordinator aborts the
// transaction that is open, which takes until all markers are written, and fences the
// producer that has it.
func forceAbort(ctx context.Context, cl *kgo.Client, id string, timeoutMillis int32) error {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = &id, timeoutMillis
		resp, err := req.RequestWith(ctx, cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if !errors.Is(err, kerr.ConcurrentTransactions) && !errors.Is(err, kerr.CoordinatorLoadInProgress) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it is being aborted and waits for markers; odradek explain txn says for which: %w", context.Cause(ctx))
		case <-time.After(wait):
		}
	}
}

// abortHanging writes the marker of a transaction that nobody ends into one partition.
func (a *App) abortHanging(ctx context.Context, cl *kgo.Client, arg string, start int64, dry bool, l *listing) error {
	w, err := parsePartitions(arg)
	if err != nil {
		return err
	}
	if len(w.partitions) != 1 || strings.HasSuffix(arg, ":") {
		return usagef("%s: want TOPIC:PARTITION", arg)
	}
	var tp topicPartition
	for p := range w.partitions {
		tp = topicPartition{w.topic, p}
	}
	open, err := openTxns(ctx, cl, []topicPartition{tp}, nil, l)
	if err != nil {
		return err
	}
	if len(l.errs) > 0 {
		l.noun = "partition"
		return a.print(l)
	}
	t, ok := startingAt(open, start)
	if !ok {
		return &codedError{fmt.Errorf("no transaction is open in %s that begins at offset %d", tp, start), exitNotFound}
	}
	if !dry {
		preview := &listing{columns: []string{"partition", "start", "producer", "epoch"}}
		preview.add(nil, tp.String(), fmt.Sprint(t.Start), fmt.Sprint(t.Producer), fmt.Sprint(t.Epoch))
		if err := a.confirm(preview, "Abort this transaction in this partition?"); err != nil {
			return err
		}
		if err := writeAbort(ctx, cl, t); err != nil {
			return fmt.Errorf("%s: %w", tp, err)
		}
	}
	done := status(dry, "abort", "aborted")
	name := fmt.Sprintf("%s@%d", tp, start)
	l.add(change{name, done}, name, done)
	return a.print(l)
}

func startingAt(open []openTxn, start int64) (openTxn, bool) {
	for _, t := range open {
		if t.Start == start {
			return t, true
		}
	}
	return openTxn{}, false
}

// writeAbort has the leader of a partition write an abort marker. A transaction of a new
// producer that hangs before its first end has no coordinator epoch; 0 is not above any.
func writeAbort(ctx context.Context, cl *kgo.Client, t openTxn) error {
	marker := kmsg.NewWriteTxnMarkersRequestMarker()
	marker.ProducerID, marker.ProducerEpoch, marker.CoordinatorEpoch = t.Producer, t.Epoch, max(t.CoordinatorEpoch, 0)
	topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	topic.Topic, topic.Partitions = t.Topic, []int32{t.Partition}
	marker.Topics = append(marker.Topics, topic)
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Markers = append(req.Markers, marker)
	answered := false
	for _, shard := range cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return shard.Err
		}
		for _, m := range shard.Resp.(*kmsg.WriteTxnMarkersResponse).Markers {
			for _, rt := range m.Topics {
				for _, p := range rt.Partitions {
					if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
						return err
					}
					answered = true
				}
			}
		}
	}
	if !answered {
		return kerr.UnknownServerError
	}
	return nil
}
