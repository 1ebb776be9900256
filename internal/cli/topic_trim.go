package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

type trimmed struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"` // the offset at which the partition began
	To        int64  `json:"to"`   // and at which it begins now, or would
	Records   int64  `json:"records"`
	Status    string `json:"status"`
}

func topicTrim(a *App) *cobra.Command {
	var (
		before string
		dry    bool
	)
	c := &cobra.Command{
		Use:   "trim TOPIC[:PARTITIONS]...",
		Short: "Delete the oldest records of topics",
		Long:  "Delete the records of topics before a place: " + whenForms + ".",
		Example: `  odradek topic trim orders --before end -y
  odradek topic trim orders:0,2-4 --before 1000 --dry-run
  odradek topic trim orders --before @-24h`,
		Args:              names(1, "TOPIC"),
		ValidArgsFunction: a.completeTopics,
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			place, err := parseWhere(before, time.Now())
			if err != nil {
				return err
			}
			if place.kind == atShift {
				return usagef("--before %s: a topic has no current offset to shift from", before)
			}
			l := &listing{kind: "TrimList", noun: "topic", columns: []string{"topic", "partition", "from", "to", "records", "status"}}
			plan, err := a.planTrim(ctx, adm, args, place, l)
			if err != nil {
				return err
			}
			if err := a.trim(ctx, adm, plan, dry, l); err != nil {
				return err
			}
			return a.print(l)
		}),
	}
	c.Flags().StringVar(&before, "before", "", "delete what comes before this place; it must be given")
	_ = c.MarkFlagRequired("before")
	dryRunFlag(c, &dry)
	return c
}

// planTrim says for each partition where it would begin. Places outside the log become
// its nearest end.
func (a *App) planTrim(ctx context.Context, adm *kadm.Client, args []string, place where, l *listing) ([]trimmed, error) {
	targets, err := a.resolve(ctx, adm, args, place, l)
	if err != nil {
		return nil, err
	}
	var plan []trimmed
	for _, t := range targets {
		to := min(max(t.at, t.start), t.end)
		plan = append(plan, trimmed{Topic: t.topic, Partition: t.partition, From: t.start, To: to, Records: to - t.start})
	}
	return plan, nil
}

func (a *App) trim(ctx context.Context, adm *kadm.Client, plan []trimmed, dry bool, l *listing) error {
	offsets := make(kadm.Offsets)
	preview := &listing{columns: []string{"topic", "partition", "from", "to", "records"}}
	var total int64
	for _, t := range plan {
		offsets.AddOffset(t.Topic, t.Partition, t.To, -1)
		preview.add(nil, t.Topic, fmt.Sprint(t.Partition), fmt.Sprint(t.From), fmt.Sprint(t.To), fmt.Sprint(t.Records))
		total += t.Records
	}
	var answers kadm.DeleteRecordsResponses
	if !dry && total > 0 {
		if err := a.confirm(preview, fmt.Sprintf("Delete %d offsets' records?", total)); err != nil {
			return err
		}
		var err error
		if answers, err = adm.DeleteRecords(ctx, offsets); err != nil {
			return err
		}
	}
	for _, t := range plan {
		if r, ok := answers.Lookup(t.Topic, t.Partition); ok && r.Err != nil {
			l.fail(fmt.Sprintf("%s:%d", t.Topic, t.Partition), r.Err)
			continue
		}
		t.Status = status(dry, "trim", "trimmed")
		l.add(t, t.Topic, fmt.Sprint(t.Partition), fmt.Sprint(t.From), fmt.Sprint(t.To), fmt.Sprint(t.Records), t.Status)
	}
	return nil
}
