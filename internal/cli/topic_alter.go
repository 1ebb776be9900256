package cli

import (
	"context"
	"fmt"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

func topicAlter(a *App) *cobra.Command {
	var (
		total      int
		set, unset []string
		dry        bool
	)
	c := &cobra.Command{
		Use:   "alter TOPIC...",
		Short: "Change settings or the number of partitions",
		Example: `  odradek topic alter orders -p 24
  odradek topic alter orders payments -c retention.ms=3600000 --unset cleanup.policy`,
		Args:              names(1, "TOPIC"),
		ValidArgsFunction: a.completeTopics,
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			changes, err := alterations(set, unset)
			if err != nil {
				return err
			}
			if len(changes) == 0 && total == 0 {
				return usagef("topic alter: nothing to change: want -p, -c or --unset")
			}
			l := &listing{kind: "TopicChange", noun: "topic", columns: []string{"topic", "status"}}
			left := uniq(args)
			if len(changes) > 0 {
				if left, err = alterTopicConfigs(ctx, adm, changes, left, dry, l); err != nil {
					return err
				}
			}
			if total > 0 {
				if left, err = setPartitions(ctx, adm, total, left, dry, l); err != nil {
					return err
				}
			}
			for _, name := range left {
				done := status(dry, "alter", "altered")
				l.add(change{name, done}, name, done)
			}
			return a.print(l)
		}),
	}
	f := c.Flags()
	f.IntVarP(&total, "partitions", "p", 0, "the number of partitions that the topic shall have")
	f.StringArrayVarP(&set, "config", "c", nil, "a setting of the topic, KEY=VALUE; may be repeated")
	f.StringArrayVar(&unset, "unset", nil, "a setting to return to its default, KEY; may be repeated")
	dryRunFlag(c, &dry)
	a.completeFlag(c, "config", completeSettings(config.Topic))
	a.completeFlag(c, "unset", completeKeys(config.Topic))
	return c
}

// setPartitions returns the topics that have total partitions now.
func setPartitions(ctx context.Context, adm *kadm.Client, total int, topics []string, dry bool, l *listing) ([]string, error) {
	update := adm.UpdatePartitions
	if dry {
		update = adm.ValidateUpdatePartitions
	}
	answers, err := update(ctx, total, topics...)
	if err != nil {
		return nil, err
	}
	return partitionAnswers(answers, topics, l), nil
}

func partitionAnswers(answers kadm.CreatePartitionsResponses, topics []string, l *listing) []string {
	var done []string
	for _, name := range topics {
		if r := answers[name]; r.Err != nil {
			l.fail(name, said(r.Err, r.ErrMessage))
		} else {
			done = append(done, name)
		}
	}
	return done
}

func topicAddPartitions(a *App) *cobra.Command {
	var (
		more int
		dry  bool
	)
	c := &cobra.Command{
		Use:   "add-partitions TOPIC...",
		Short: "Give topics more partitions",
		Long: `Give topics more partitions. Records that are there stay where they are, and keys
may go to another partition from now on.`,
		Example:           `  odradek topic add-partitions orders -p 3`,
		Args:              names(1, "TOPIC"),
		ValidArgsFunction: a.completeTopics,
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			if more < 1 {
				return usagef("topic add-partitions: -p is how many more, at least 1")
			}
			add := adm.CreatePartitions
			if dry {
				add = adm.ValidateCreatePartitions
			}
			topics := uniq(args)
			answers, err := add(ctx, more, topics...)
			if err != nil {
				return err
			}
			l := &listing{kind: "TopicChange", noun: "topic", columns: []string{"topic", "added", "status"}}
			for _, name := range partitionAnswers(answers, topics, l) {
				done := status(dry, "add", "added")
				l.add(addedPartitions{change{name, done}, more}, name, fmt.Sprint(more), done)
			}
			return a.print(l)
		}),
	}
	c.Flags().IntVarP(&more, "partitions", "p", 0, "how many more")
	dryRunFlag(c, &dry)
	return c
}

type addedPartitions struct {
	change
	Added int `json:"added"`
}
