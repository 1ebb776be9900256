package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
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
		RunE: a.groupWork(firstArg, func(ctx context.Context, cl *kgo.Client, args []string) error {
			l := &listing{kind: "GroupOffsetChange", noun: "topic", columns: []string{"topic", "partition", "committed", "status"}}
			g, err := groupOrClassic(ctx, cl, args[0])
			if err != nil {
				return err
			}
			adm := kadm.NewClient(cl)
			plan, err := planForget(ctx, adm, g, args[1:], l)
			if err != nil {
				return err
			}
			if err := a.forget(ctx, adm, g, plan, dry, l); err != nil {
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
func planForget(ctx context.Context, adm *kadm.Client, g groupView, args []string, l *listing) ([]deletedOffset, error) {
	wanted, _, err := parseTargets(args)
	if err != nil {
		return nil, err
	}
	committed, err := committedOffsets(ctx, adm, g)
	if err != nil {
		return nil, fmt.Errorf("group %q: %w", g.Group, err)
	}
	var plan []deletedOffset
	for _, w := range wanted {
		n := len(plan)
		if w.partitions != nil && g.Type == shareGroup {
			return nil, usagef("%s: a share group forgets whole topics only", w.topic)
		}
		for _, p := range slices.SortedFunc(maps.Keys(committed), topicPartition.compare) {
			if o := committed[p]; p.topic == w.topic && w.has(p.partition) && o.Committed != nil {
				plan = append(plan, deletedOffset{g.Group, o.Topic, o.Partition, *o.Committed, ""})
			}
		}
		if len(plan) == n {
			l.fail(w.topic, &codedError{fmt.Errorf("group %q committed nothing for it", g.Group), exitNotFound})
		}
	}
	return plan, nil
}

func (a *App) forget(ctx context.Context, adm *kadm.Client, g groupView, plan []deletedOffset, dry bool, l *listing) error {
	set := make(kadm.TopicsSet)
	preview := &listing{columns: []string{"topic", "partition", "committed"}}
	for _, o := range plan {
		set.Add(o.Topic, o.Partition)
		preview.add(nil, o.Topic, fmt.Sprint(o.Partition), fmt.Sprint(o.Committed))
	}
	var answer func(topic string, partition int32) (error, bool)
	if !dry && len(plan) > 0 {
		if err := a.confirm(preview, fmt.Sprintf("Delete %s of group %q?", count(len(plan), "offset"), g.Group)); err != nil {
			return err
		}
		var err error
		if answer, err = forgetFor(ctx, adm, g, set); err != nil {
			return fmt.Errorf("group %q: %w", g.Group, err)
		}
	}
	for _, o := range plan {
		if !dry {
			err, answered := answer(o.Topic, o.Partition)
			if !answered {
				err = kerr.UnknownServerError
			}
			if err != nil {
				l.fail(partitionName(o.Topic, o.Partition), err)
				continue
			}
		}
		o.Status = status(dry, "delete", "deleted")
		l.add(o, o.Topic, fmt.Sprint(o.Partition), fmt.Sprint(o.Committed), o.Status)
	}
	return nil
}

// forgetFor deletes offsets of a group and returns what became of each.
func forgetFor(ctx context.Context, adm *kadm.Client, g groupView, set kadm.TopicsSet) (func(topic string, partition int32) (error, bool), error) {
	if g.Type == shareGroup {
		answers, err := adm.DeleteShareGroupOffsets(ctx, g.Group, set.Topics()...)
		return func(topic string, _ int32) (error, bool) { return answers.Lookup(topic) }, err
	}
	answers, err := adm.DeleteOffsets(ctx, g.Group, set)
	return answers.Lookup, err
}
