package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

type deletedOffset struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"`
	Status    string `json:"status"`
}

func groupDeleteOffsets(a *App) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "delete-offsets GROUP TOPIC[:PARTITIONS]...",
		Short: "Forget what a group committed for topics that it no longer reads",
		Example: `  odradek group delete-offsets billing orders -y
  odradek group delete-offsets billing orders:3,4 --dry-run`,
		Args:              names(2, "TOPIC"),
		ValidArgsFunction: first(a.completeGroups, a.completeTopics),
		RunE: a.groupWork(firstArg, func(ctx context.Context, adm *kadm.Client, args []string) error {
			l := &listing{kind: "GroupOffsetChange", noun: "topic", columns: []string{"topic", "partition", "committed", "status"}}
			plan, err := planForget(ctx, adm, args[0], args[1:], l)
			if err != nil {
				return err
			}
			if err := a.forget(ctx, adm, args[0], plan, dry, l); err != nil {
				return err
			}
			return a.print(l)
		}),
	}
	dryRunFlag(c, &dry)
	return c
}

// planForget finds the committed offsets that args name. The topics need not exist any
// more: that is when people want this.
func planForget(ctx context.Context, adm *kadm.Client, group string, args []string, l *listing) ([]deletedOffset, error) {
	wanted, _, err := parseTargets(args)
	if err != nil {
		return nil, err
	}
	committed, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("group %q: %w", group, err)
	}
	var plan []deletedOffset
	for _, w := range wanted {
		n := len(plan)
		for _, o := range committed.Sorted() {
			if o.Topic == w.topic && w.has(o.Partition) {
				plan = append(plan, deletedOffset{group, o.Topic, o.Partition, o.At, ""})
			}
		}
		if len(plan) == n {
			l.fail(w.topic, &codedError{fmt.Errorf("group %q committed nothing for it", group), exitNotFound})
		}
	}
	return plan, nil
}

func (a *App) forget(ctx context.Context, adm *kadm.Client, group string, plan []deletedOffset, dry bool, l *listing) error {
	set := make(kadm.TopicsSet)
	preview := &listing{columns: []string{"topic", "partition", "committed"}}
	for _, o := range plan {
		set.Add(o.Topic, o.Partition)
		preview.add(nil, o.Topic, fmt.Sprint(o.Partition), fmt.Sprint(o.Committed))
	}
	var answers kadm.DeleteOffsetsResponses
	if !dry && len(plan) > 0 {
		if err := a.confirm(preview, fmt.Sprintf("Delete %s of group %q?", count(len(plan), "offset"), group)); err != nil {
			return err
		}
		var err error
		if answers, err = adm.DeleteOffsets(ctx, group, set); err != nil {
			return fmt.Errorf("group %q: %w", group, err)
		}
	}
	for _, o := range plan {
		err, answered := answers.Lookup(o.Topic, o.Partition)
		switch {
		case err != nil:
			l.fail(fmt.Sprintf("%s:%d", o.Topic, o.Partition), err)
			continue
		case !dry && !answered:
			l.fail(fmt.Sprintf("%s:%d", o.Topic, o.Partition), kerr.UnknownServerError)
			continue
		}
		o.Status = status(dry, "delete", "deleted")
		l.add(o, o.Topic, fmt.Sprint(o.Partition), fmt.Sprint(o.Committed), o.Status)
	}
	return nil
}
