package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// allBrokers is what people say for the settings that all brokers share.
const allBrokers = "default"

func brokerConfig(a *App) *cobra.Command {
	return noun("config", "Look at and change the settings of a broker, or of all (default)",
		brokerConfigGet(a), brokerConfigSet(a), brokerConfigUnset(a))
}

// brokerIDs reads BROKER: an id, or default for none in particular.
func brokerIDs(arg string) ([]int32, error) {
	if arg == allBrokers {
		return nil, nil
	}
	id, err := brokerID(arg)
	return []int32{id}, err
}

func brokerConfigGet(a *App) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "get BROKER|default [KEY...]",
		Short: "Show the settings of a broker that were altered while it ran, or some, or all",
		Example: `  odradek broker config get 1
  odradek broker config get 1 log.retention.ms
  odradek broker config get default
  odradek broker config get 1 --all -o json`,
		Args:              names(1, "BROKER"),
		ValidArgsFunction: first(a.completeBrokers, completeKeys(config.Broker)),
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			id, err := brokerIDs(args[0])
			if err != nil {
				return err
			}
			answers, err := adm.DescribeBrokerConfigs(ctx, id...)
			if err != nil {
				return brokerErr(args[0], err)
			}
			l := &listing{kind: "ConfigList", noun: "broker", columns: configColumns}
			for _, rc := range answers {
				rc.Name = args[0]
				addConfigs(l, rc, args[1:], all)
			}
			return a.print(l)
		}),
	}
	c.Flags().BoolVar(&all, "all", false, "show what nobody altered too")
	return c
}

func brokerConfigSet(a *App) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "set BROKER|default KEY=VALUE...",
		Short: "Change settings of a broker, or of all, while they run",
		Example: `  odradek broker config set 1 log.cleaner.threads=2
  odradek broker config set default log.retention.ms=86400000 --dry-run`,
		Args:              names(2, "KEY=VALUE"),
		ValidArgsFunction: first(a.completeBrokers, completeSettings(config.Broker)),
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			changes, err := alterations(args[1:], nil)
			if err != nil {
				return err
			}
			return a.brokerConfigChange(ctx, adm, args[0], changes, dry)
		}),
	}
	dryRunFlag(c, &dry)
	return c
}

func brokerConfigUnset(a *App) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:               "unset BROKER|default KEY...",
		Short:             "Take back settings that were altered while brokers ran",
		Example:           `  odradek broker config unset default log.retention.ms`,
		Args:              names(2, "KEY"),
		ValidArgsFunction: first(a.completeBrokers, completeKeys(config.Broker)),
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			changes, err := alterations(nil, args[1:])
			if err != nil {
				return err
			}
			return a.brokerConfigChange(ctx, adm, args[0], changes, dry)
		}),
	}
	dryRunFlag(c, &dry)
	return c
}

func (a *App) brokerConfigChange(ctx context.Context, adm *kadm.Client, broker string, changes []kadm.AlterConfig, dry bool) error {
	id, err := brokerIDs(broker)
	if err != nil {
		return err
	}
	alter := adm.AlterBrokerConfigs
	if dry {
		alter = adm.ValidateAlterBrokerConfigs
	}
	answers, err := alter(ctx, changes, id...)
	if err != nil {
		return brokerErr(broker, err)
	}
	for i := range answers {
		answers[i].Name = broker
	}
	l := &listing{kind: "ConfigChange", noun: "broker", columns: []string{"resource", "key", "value", "status"}}
	if len(alterAnswers(answers, []string{broker}, l)) > 0 {
		addChanges(l, broker, changes, dry)
	}
	return a.print(l)
}

// brokerErr words a request that could not reach the broker that it is about.
func brokerErr(broker string, err error) error {
	if isUnknownBroker(err) {
		return &codedError{fmt.Errorf("broker %q: %w", broker, kerr.BrokerIDNotRegistered), exitNotFound}
	}
	return err
}

// isUnknownBroker reports whether a client could not send a request because no broker
// has that id.
func isUnknownBroker(err error) bool {
	var shards *kadm.ShardErrors
	if errors.As(err, &shards) {
		for _, s := range shards.Errs {
			err = s.Err
		}
	}
	return strings.Contains(err.Error(), "unknown broker")
}
