package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// change is what was done to something, or would be.
type change struct {
	Name   string `json:"name"`
	Status string `json:"status"` // "created", "would-create", "exists", …
}

// status words a change: done, or would-VERB if nothing was done.
func status(dry bool, verb, done string) string {
	if dry {
		return "would-" + verb
	}
	return done
}

type createdTopic struct {
	change
	ID                string `json:"id,omitempty"`
	Partitions        int32  `json:"partitions"`
	ReplicationFactor int16  `json:"replicationFactor"`
}

func topicCreate(a *App) *cobra.Command {
	var (
		partitions  int32
		replicas    int16
		settings    []string
		ifNotExists bool
		dry         bool
	)
	c := &cobra.Command{
		Use:   "create TOPIC...",
		Short: "Create topics",
		Example: `  odradek topic create invoices
  odradek topic create orders payments -p 12 -c cleanup.policy=compact --if-not-exists`,
		Args: names(1, "TOPIC"),
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			configs, err := keyValues(settings)
			if err != nil {
				return err
			}
			create := adm.CreateTopics
			if dry {
				create = adm.ValidateCreateTopics
			}
			answers, err := create(ctx, partitions, replicas, configs, uniq(args)...)
			if err != nil {
				return err
			}
			l := &listing{kind: "TopicChange", noun: "topic", columns: []string{"topic", "partitions", "replicas", "status"}}
			for _, name := range uniq(args) {
				addCreated(l, name, answers[name], dry, ifNotExists)
			}
			return a.print(l)
		}),
	}
	f := c.Flags()
	f.Int32VarP(&partitions, "partitions", "p", -1, "number of partitions; -1 is the cluster's num.partitions")
	f.Int16VarP(&replicas, "replication-factor", "r", -1, "replicas of each partition; -1 is the cluster's default.replication.factor")
	f.StringArrayVarP(&settings, "config", "c", nil, "a setting of the topic, KEY=VALUE; may be repeated")
	f.BoolVar(&ifNotExists, "if-not-exists", false, "a topic that exists already is fine")
	dryRunFlag(c, &dry)
	a.completeFlag(c, "config", completeSettings(config.Topic))
	return c
}

func addCreated(l *listing, name string, r kadm.CreateTopicResponse, dry, ifNotExists bool) {
	item := createdTopic{change: change{name, status(dry, "create", "created")}, Partitions: r.NumPartitions, ReplicationFactor: r.ReplicationFactor}
	switch {
	case ifNotExists && errors.Is(r.Err, kerr.TopicAlreadyExists):
		item.Status, item.Partitions, item.ReplicationFactor = "exists", -1, -1
		l.add(item, name, "-", "-", item.Status)
		return
	case r.Err != nil:
		l.fail(name, said(r.Err, r.ErrMessage))
		return
	case !dry:
		item.ID = model.ID(r.ID).String()
	}
	l.add(item, name, fmt.Sprint(item.Partitions), fmt.Sprint(item.ReplicationFactor), item.Status)
}

func topicDelete(a *App) *cobra.Command {
	var (
		pick     = topicPick{}
		ifExists bool
		dry      bool
	)
	c := &cobra.Command{
		Use:   "delete TOPIC...",
		Short: "Delete topics and their records",
		Example: `  odradek topic delete orders
  odradek topic delete --regex 'test-.*' --dry-run
  odradek topic delete orders -y --if-exists`,
		Args:              names(1, "TOPIC"),
		ValidArgsFunction: a.completeTopics,
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			l := &listing{kind: "TopicChange", noun: "topic", columns: []string{"topic", "status"}}
			found, err := pick.find(ctx, adm, args, l)
			if err != nil {
				return err
			}
			if ifExists {
				l.errs = keepOther(l.errs, kerr.UnknownTopicOrPartition.Code)
			}
			if !dry && len(found) > 0 {
				if err := a.confirmDelete(found, pick.regex); err != nil {
					return err
				}
			}
			if err := deleteTopics(ctx, adm, found, dry, l); err != nil {
				return err
			}
			return a.print(l)
		}),
	}
	pick.flags(c)
	c.Flags().BoolVar(&ifExists, "if-exists", false, "a topic that does not exist is fine")
	dryRunFlag(c, &dry)
	return c
}

func (a *App) confirmDelete(found []kadm.TopicDetail, byPattern bool) error {
	preview := &listing{columns: []string{"topic", "partitions"}}
	for _, t := range found {
		preview.add(nil, t.Topic, fmt.Sprint(len(t.Partitions)))
	}
	question := fmt.Sprintf("Delete %s and all records in them?", count(len(found), "topic"))
	if byPattern {
		return a.confirmCount(preview, question)
	}
	return a.confirm(preview, question)
}

func deleteTopics(ctx context.Context, adm *kadm.Client, found []kadm.TopicDetail, dry bool, l *listing) error {
	var answers kadm.DeleteTopicResponses
	if !dry {
		var err error
		if answers, err = adm.DeleteTopics(ctx, namesOf(found)...); err != nil {
			return err
		}
	}
	for _, t := range found {
		if r := answers[t.Topic]; r.Err != nil {
			l.fail(t.Topic, said(r.Err, r.ErrMessage))
			continue
		}
		done := status(dry, "delete", "deleted")
		l.add(change{t.Topic, done}, t.Topic, done)
	}
	return nil
}

// keepOther drops the errors with this code.
func keepOther(errs []itemError, code int16) []itemError {
	var out []itemError
	for _, e := range errs {
		if e.Code != code {
			out = append(out, e)
		}
	}
	return out
}

// count is "1 topic", "2 topics".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
