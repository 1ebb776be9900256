package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func txnFindHanging(a *App) *cobra.Command {
	var grace time.Duration
	c := &cobra.Command{
		Use:   "find-hanging [TOPIC[:PARTITIONS]...]",
		Short: "Find transactions that are open in a partition and that nobody will end",
		Long: `Find transactions that are open in a partition and that nobody will end: their coordinator
knows nothing of them. They hold the partition's last stable offset, so that who reads what
is committed sees nothing after their first record. Without topics, all partitions of the
cluster are looked at.`,
		Example: `  odradek txn find-hanging
  odradek txn find-hanging orders:0,1 --older-than 1m -o json`,
		ValidArgsFunction: a.completeTopics,
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
			l := &listing{kind: "HangingTransactionList", columns: []string{"topic", "partition", "start", "producer", "epoch", "written", "why"}}
			parts, err := partitionsNamed(ctx, cl, args, l)
			if err != nil {
				return err
			}
			open, err := openTxns(ctx, cl, parts, nil, l)
			if err != nil {
				return err
			}
			now := time.Now()
			found, err := hanging(ctx, cl, open, grace, now, l)
			if err != nil {
				return err
			}
			for _, t := range found {
				l.add(t, t.Topic, fmt.Sprint(t.Partition), fmt.Sprint(t.Start), fmt.Sprint(t.Producer), fmt.Sprint(t.Epoch),
					ago(now.Sub(time.UnixMilli(t.LastMillis)).Seconds()), t.Why)
			}
			if len(found) > 0 {
				a.warn("Each is ended by: odradek txn abort TOPIC:PARTITION --start-offset START")
			}
			return a.print(l)
		}),
	}
	c.Flags().DurationVar(&grace, "older-than", 15*time.Minute, "only transactions whose producer wrote longer ago; longer than any transaction may take")
	return c
}

// partitionsNamed are the partitions that args name, or all of the cluster. What is not
// there becomes errors of l.
func partitionsNamed(ctx context.Context, cl *kgo.Client, args []string, l *listing) ([]topicPartition, error) {
	wanted, topics, err := parseTargets(args)
	if err != nil {
		return nil, err
	}
	details, err := kadm.NewClient(cl).ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return nil, err
	}
	if len(wanted) == 0 {
		for _, name := range details.Names() {
			wanted = append(wanted, partitionsOf{topic: name})
		}
	}
	var out []topicPartition
	for _, w := range wanted {
		if !details.Has(w.topic) {
			l.fail(w.topic, kerr.UnknownTopicOrPartition)
			continue
		}
		for _, p := range pickPartitions(w, details[w.topic], l) {
			out = append(out, topicPartition{w.topic, p})
		}
	}
	return out, nil
}
