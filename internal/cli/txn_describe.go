package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// States of a transaction, as DescribeTransactions names them.
const (
	txnOngoing       = "Ongoing"
	txnPrepareCommit = "PrepareCommit"
	txnPrepareAbort  = "PrepareAbort"
)

type txnDescription struct {
	txnItem
	Epoch         int16          `json:"producerEpoch"`
	TimeoutMillis int32          `json:"timeoutMillis"`
	StartedMillis *int64         `json:"startedMillis"` // of the last transaction; null: there was none
	Partitions    []txnPartition `json:"partitions"`    // when it is being ended: those that have no marker yet
}

// txnPartition is a partition of a transaction. Numbers that are not known are null.
type txnPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Leader    int32  `json:"leader"` // -1: none
	First     *int64 `json:"firstOffset"`
	Stable    *int64 `json:"lastStableOffset"`
	End       *int64 `json:"end"`
}

func (p *txnPartition) key() topicPartition { return topicPartition{p.Topic, p.Partition} }

// held are the records that nobody sees who reads what is committed.
func (p *txnPartition) held() *int64 {
	if p.Stable == nil || p.End == nil {
		return nil
	}
	n := *p.End - *p.Stable
	return &n
}

// open reports whether records of the transaction may be in partitions without a marker.
func (d *txnDescription) open() bool {
	return d.StartedMillis != nil && (d.State == txnOngoing || d.State == txnPrepareCommit || d.State == txnPrepareAbort)
}

func (d *txnDescription) started() time.Time { return time.UnixMilli(*d.StartedMillis) }

// deadline is when the coordinator aborts the transaction by itself.
func (d *txnDescription) deadline() time.Time {
	return d.started().Add(millisDuration(int64(d.TimeoutMillis)))
}

func txnDescribe(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "describe ID...",
		Short: "Show transactions, their partitions and what they hold back",
		Long: `Show transactions by transactional id, their partitions, and how many offsets each holds
back from who reads what is committed: those from the last stable offset to the end. Of a
transaction that is being ended, the partitions are those that have no marker yet.`,
		Example: `  odradek txn describe pay-1
  odradek txn describe pay-1 -o json`,
		Args:              names(1, "ID"),
		ValidArgsFunction: a.completeTxns,
		RunE: a.txnWork(func(ctx context.Context, cl *kgo.Client, args []string) error {
			l := &listing{kind: "TransactionDescription", noun: "transaction"}
			var found []txnDescription
			txns, err := a.lookAtTxns(ctx, cl, uniq(args), l)
			if err != nil {
				return err
			}
			for _, d := range txns {
				found = append(found, d)
				l.add(d, d.ID)
			}
			l.text = func(w io.Writer) error { return a.writeTxns(w, found, time.Now()) }
			return a.print(l)
		}),
	}
}

// txnWork is work about transactions that args name: it waits until each has a
// coordinator. A cluster that never had one makes the topic for them first.
func (a *App) txnWork(work func(context.Context, *kgo.Client, []string) error) func(*cobra.Command, []string) error {
	return a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
		adm := kadm.NewClient(cl)
		for _, id := range args {
			err := awaitFound(ctx, func() error { return adm.FindTxnCoordinators(ctx, id).Error() })
			if err != nil {
				return fmt.Errorf("transaction %q: %w", id, err)
			}
		}
		return work(ctx, cl, args)
	})
}

// lookAtTxns describes transactions, in order. Those that are not there become errors of l.
func (a *App) lookAtTxns(ctx context.Context, cl *kgo.Client, ids []string, l *listing) ([]txnDescription, error) {
	txns, err := describedTxns(ctx, cl, ids)
	if err != nil {
		return nil, err
	}
	var out []txnDescription
	for _, id := range ids {
		d, ok := txns[id]
		if err := d.Err; err != nil || !ok {
			l.fail(id, orUnknown(err))
			continue
		}
		item := txnDescription{txnItem: txnItem{d.TxnID, d.State, d.ProducerID, d.Coordinator}, Epoch: d.ProducerEpoch,
			TimeoutMillis: d.TimeoutMillis, Partitions: []txnPartition{}}
		if d.StartTimestamp >= 0 {
			item.StartedMillis = &d.StartTimestamp
		}
		for _, t := range d.Topics.Sorted() {
			for _, p := range t.Partitions {
				item.Partitions = append(item.Partitions, txnPartition{Topic: t.Topic, Partition: p, Leader: -1})
			}
		}
		if err := a.measureTxn(ctx, cl, &item); err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}

// measureTxn asks the leaders of a transaction's partitions what it holds there. What does
// not answer stays unknown.
func (a *App) measureTxn(ctx context.Context, cl *kgo.Client, d *txnDescription) error {
	if len(d.Partitions) == 0 {
		return nil
	}
	adm := kadm.NewClient(cl)
	var topics []string
	for _, p := range d.Partitions {
		topics = append(topics, p.Topic)
	}
	topics = uniq(topics)
	details, err := adm.ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return err
	}
	var led []topicPartition
	for i := range d.Partitions {
		p := &d.Partitions[i]
		if t, ok := details[p.Topic]; ok && t.Err == nil {
			if pd, ok := t.Partitions[p.Partition]; ok {
				p.Leader = pd.Leader
			}
		}
		if p.Leader >= 0 {
			led = append(led, p.key())
		}
	}
	open, _ := openTxns(ctx, cl, led, nil, &listing{}) // beside an error, nothing is known
	stable, _ := adm.ListCommittedOffsets(ctx, topics...)
	ends, _ := adm.ListEndOffsets(ctx, topics...)
	for i := range d.Partitions {
		p := &d.Partitions[i]
		for _, t := range open {
			if t.key() == p.key() && t.Producer == d.Producer {
				p.First = &t.Start
			}
		}
		p.Stable, p.End = offsetIn(stable, p.key()), offsetIn(ends, p.key())
	}
	return nil
}

// offsetIn is the offset that was listed for a partition, nil if none was.
func offsetIn(listed kadm.ListedOffsets, p topicPartition) *int64 {
	o, ok := listed.Lookup(p.topic, p.partition)
	if !ok || o.Err != nil || o.Offset < 0 {
		return nil
	}
	return &o.Offset
}

func (a *App) writeTxns(w io.Writer, txns []txnDescription, now time.Time) error {
	for i, d := range txns {
		if i > 0 {
			fmt.Fprintln(w)
		}
		head := &listing{rows: [][]string{
			{"id", d.ID}, {"state", d.State}, {"coordinator", fmt.Sprint(d.Coordinator)},
			{"producer", fmt.Sprintf("%d, epoch %d", d.Producer, d.Epoch)}, {"timeout", rough(millisDuration(int64(d.TimeoutMillis)))},
		}}
		if d.StartedMillis != nil {
			head.rows = append(head.rows, []string{"started", fmt.Sprintf("%s, %s", d.started().UTC().Format(time.RFC3339), ago(now.Sub(d.started()).Seconds()))})
		}
		if err := a.out.table(w, head); err != nil {
			return err
		}
		if len(d.Partitions) == 0 {
			continue
		}
		fmt.Fprintln(w)
		t := &listing{columns: []string{"topic", "partition", "leader", "first", "stable", "end", "held"}}
		for _, p := range d.Partitions {
			t.add(nil, p.Topic, fmt.Sprint(p.Partition), orNone(p.Leader), dashed(p.First), dashed(p.Stable), dashed(p.End), dashed(p.held()))
		}
		if err := a.out.table(w, t); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) completeTxns(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.fromCluster(c, func(ctx context.Context, adm *kadm.Client) ([]string, error) {
		txns, err := adm.ListTransactions(ctx, nil, nil)
		return txns.TransactionalIDs(), err
	})
}
