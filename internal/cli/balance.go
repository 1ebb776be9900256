package cli

import (
	"context"
	"slices"

	"github.com/odradek/odradek/internal/cli/balance"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { nouns = append(nouns, balanceCommand) }

func balanceCommand(a *App) *cobra.Command {
	return noun("balance", "Spread replicas and leaders over brokers and racks", balancePlan(a), balanceApply(a))
}

func balancePlan(a *App) *cobra.Command {
	var pick topicPick
	c := &cobra.Command{
		Use:   "plan [TOPIC...]",
		Short: "Show what would be moved",
		Long: `Show which partitions balance apply would move: each broker shall have as many replicas
and preferred leaders as the others, give or take one, and the replicas of a partition shall
be in different racks, with the fewest moves. Brokers that are fenced, gone or cordoned get
nothing, and keep what they have: odradek broker drain empties one.`,
		Example: `  odradek balance plan
  odradek balance plan --regex 'orders-.*' -o json`,
		ValidArgsFunction: a.completeTopics,
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
			v, topics, err := a.lookForBalance(ctx, cl, &pick, args)
			if err != nil {
				return err
			}
			return a.planned(balance.Spread(v.balanceInput(topics)).Moves)
		}),
	}
	pick.flags(c)
	return c
}

func balanceApply(a *App) *cobra.Command {
	var pick topicPick
	var dry bool
	m := &mover{App: a}
	c := &cobra.Command{
		Use:   "apply [TOPIC...]",
		Short: "Move what the plan says, and show how far it is",
		Long: `Carry out what balance plan shows, some partitions at a time. It can be interrupted: what
moves goes on by itself, and the same command goes on from where everything is then.`,
		Example: `  odradek balance apply --throttle 50M
  odradek balance apply orders --at-once 10 --wait 1m`,
		ValidArgsFunction: a.completeTopics,
		RunE: m.with(func(ctx context.Context, args []string) error {
			v, topics, err := a.lookForBalance(ctx, m.cl, &pick, args)
			if err != nil {
				return err
			}
			plan := balance.Spread(v.balanceInput(topics))
			if err := a.planned(plan.Moves); err != nil || dry || len(plan.Moves) == 0 {
				return err
			}
			return m.run(ctx, plan.Moves)
		}),
	}
	pick.flags(c)
	m.flags(c)
	dryRunFlag(c, &dry)
	return c
}

// lookForBalance looks at the cluster and which topics are meant: all, also its own, if
// none is named.
func (a *App) lookForBalance(ctx context.Context, cl *kgo.Client, pick *topicPick, args []string) (*view, []string, error) {
	v, err := lookAround(ctx, cl)
	if err != nil {
		return nil, nil, err
	}
	if len(args) == 0 {
		return v, v.md.Topics.Names(), nil
	}
	l := &listing{noun: "topic"}
	found, err := pick.find(ctx, kadm.NewClient(cl), args, l)
	if err != nil {
		return nil, nil, err
	}
	return v, namesOf(found), a.print(l)
}

// balanceInput is the cluster as the planner wants it. A partition that moves already
// counts as being where it goes.
func (v *view) balanceInput(topics []string) ([]balance.Broker, []balance.Partition) {
	var brokers []balance.Broker
	for _, b := range v.brokers() {
		rack := ""
		if b.Rack != nil {
			rack = *b.Rack
		}
		brokers = append(brokers, balance.Broker{ID: b.ID, Rack: rack, Open: b.State == "up"})
	}
	var parts []balance.Partition
	for _, t := range v.md.Topics {
		if !slices.Contains(topics, t.Topic) {
			continue
		}
		for _, p := range t.Partitions {
			if len(p.Replicas) == 0 {
				continue
			}
			part := balance.Partition{Topic: t.Topic, Partition: p.Partition, Replicas: p.Replicas, Bytes: max(0, v.sizeOn(p.Leader, t.Topic, p.Partition))}
			for _, r := range v.moving {
				if r.Topic == t.Topic && r.Partition == p.Partition {
					part.Replicas = slices.DeleteFunc(slices.Clone(r.Replicas), func(id int32) bool { return slices.Contains(r.Removing, id) })
				}
			}
			parts = append(parts, part)
		}
	}
	return brokers, parts
}
