package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/cli/balance"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func brokerDrain(a *App) *cobra.Command {
	var dry bool
	m := &mover{App: a}
	c := &cobra.Command{
		Use:   "drain BROKER",
		Short: "Take everything off a broker, so that it can be taken away",
		Long: `Keep new replicas away from a broker (cordoned.log.dirs=*) and move those that it has to
the others, spread over racks. It can be interrupted: what moves goes on by itself, and the
same command goes on from where everything is then. odradek broker undrain takes it back.
It works for a broker that is gone for good, too.`,
		Example: `  odradek broker drain 1 --dry-run
  odradek broker drain 1 --throttle 50M`,
		Args:              exactly("BROKER"),
		ValidArgsFunction: a.completeBrokers,
		RunE: m.with(func(ctx context.Context, args []string) error {
			id, err := brokerID(args[0])
			if err != nil {
				return err
			}
			return m.drain(ctx, id, dry)
		}),
	}
	m.flags(c)
	dryRunFlag(c, &dry)
	return c
}

func (m *mover) drain(ctx context.Context, id int32, dry bool) error {
	v, err := lookAround(ctx, m.cl)
	if err != nil {
		return err
	}
	b, ok := v.broker(id)
	if !ok {
		return &codedError{fmt.Errorf("broker %d: %w", id, kerr.BrokerIDNotRegistered), exitNotFound}
	}
	brokers, parts := v.balanceInput(v.md.Topics.Names())
	plan := balance.Empty(brokers, parts, []int32{id})
	if dry {
		if err := m.planned(plan.Moves); err != nil {
			return err
		}
		return stuck(id, plan.Stuck)
	}
	if len(plan.Stuck) > 0 { // before anything is changed
		return stuck(id, plan.Stuck)
	}
	if b.State == "up" {
		if err := m.alterBrokers(ctx, []int32{id}, setConfig(cordonKey, "*")); err != nil {
			return err
		}
	}
	if len(plan.Moves) > 0 {
		if err := m.planned(plan.Moves); err != nil {
			return err
		}
	}
	if err := m.run(ctx, plan.Moves); err != nil {
		return err
	}
	return m.drained(ctx, id)
}

// stuck says why a broker cannot be emptied.
func stuck(id int32, parts []balance.Partition) error {
	if len(parts) == 0 {
		return nil
	}
	p := parts[0]
	return &codedError{fmt.Errorf("broker %d cannot be emptied: for %s, such as %s with replicas on %s, there is no other broker to take its place. Add a broker, or give the topic fewer replicas",
		id, count(len(parts), "partition"), partitionName(p.Topic, p.Partition), ids(p.Replicas)), exitFailed}
}

// settling is how long brokers may take to hear what the controller has decided.
const settling = 5 * time.Second

// drained looks whether nothing is left or came meanwhile, and says what can be done now.
func (m *mover) drained(ctx context.Context, id int32) error {
	late := time.NewTimer(settling)
	defer late.Stop()
	for {
		md, err := m.adm.Metadata(ctx)
		if err != nil {
			return err
		}
		left := 0
		md.Topics.EachPartition(func(p kadm.PartitionDetail) {
			if slices.Contains(p.Replicas, id) {
				left++
			}
		})
		if left == 0 {
			m.warn("broker %d is empty. Stop it, then odradek broker unregister %d forgets it; odradek broker undrain %d takes it back", id, id, id)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return fmt.Errorf("broker %d has %s again or still: run it once more", id, count(left, "partition"))
		case <-time.After(pace):
		}
	}
}

func brokerUndrain(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "undrain BROKER",
		Short: "Let a broker get replicas again",
		Long: `Let a broker that was drained get replicas again. It gets those of new topics; odradek
balance apply gives it its share of those that there are.`,
		Example:           `  odradek broker undrain 1`,
		Args:              exactly("BROKER"),
		ValidArgsFunction: a.completeBrokers,
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			id, err := brokerID(args[0])
			if err != nil {
				return err
			}
			answers, err := adm.AlterBrokerConfigs(ctx, []kadm.AlterConfig{unsetConfig(cordonKey)}, id)
			if err := firstAlterError(answers, err); err != nil {
				return brokerErr(args[0], err)
			}
			return a.brokerChanged(id, "undrained")
		}),
	}
}

func brokerUnregister(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "unregister BROKER",
		Short: "Forget a broker that was stopped and will not come back",
		Long: `Forget a broker that was stopped and will not come back. It must be fenced, and should
be empty (odradek broker drain): replicas that are on it are lost to the cluster.`,
		Example: `  odradek broker unregister 7`,
		Args:    exactly("BROKER"),
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
			id, err := brokerID(args[0])
			if err != nil {
				return err
			}
			req := kmsg.NewPtrUnregisterBrokerRequest()
			req.BrokerID = id
			resp, err := req.RequestWith(ctx, cl)
			if err != nil {
				return err
			}
			if err := answered(resp.ErrorCode, resp.ErrorMessage); err != nil {
				return fmt.Errorf("broker %d: %w", id, err)
			}
			return a.brokerChanged(id, "unregistered")
		}),
	}
}

// brokerChange is what was done to a broker.
type brokerChange struct {
	Broker int32  `json:"broker"`
	Status string `json:"status"`
}

func (a *App) brokerChanged(id int32, status string) error {
	l := &listing{kind: "BrokerChange", noun: "broker", columns: []string{"broker", "status"}}
	l.add(brokerChange{id, status}, fmt.Sprint(id), status)
	return a.print(l)
}
