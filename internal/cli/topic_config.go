package cli

import (
	"context"
	"strings"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

func topicConfig(a *App) *cobra.Command {
	return noun("config", "Look at and change the settings of a topic",
		topicConfigGet(a), topicConfigSet(a), topicConfigUnset(a))
}

var configColumns = []string{"resource", "key", "value", "source"}

func topicConfigGet(a *App) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "get TOPIC [KEY...]",
		Short: "Show the settings of a topic that were changed, or some, or all",
		Example: `  odradek topic config get orders
  odradek topic config get orders retention.ms segment.bytes
  odradek topic config get orders --all -o json`,
		Args:              names(1, "TOPIC"),
		ValidArgsFunction: first(a.completeTopics, completeKeys(config.Topic)),
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			answers, err := adm.DescribeTopicConfigs(ctx, args[0])
			if err != nil {
				return err
			}
			l := &listing{kind: "ConfigList", noun: "topic", columns: configColumns}
			for _, rc := range answers {
				addConfigs(l, rc, args[1:], all)
			}
			return a.print(l)
		}),
	}
	c.Flags().BoolVar(&all, "all", false, "show defaults too")
	return c
}

func topicConfigSet(a *App) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:               "set TOPIC KEY=VALUE...",
		Short:             "Change settings of a topic",
		Example:           `  odradek topic config set orders retention.ms=3600000 cleanup.policy=compact,delete`,
		Args:              names(2, "KEY=VALUE"),
		ValidArgsFunction: first(a.completeTopics, completeSettings(config.Topic)),
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			changes, err := alterations(args[1:], nil)
			if err != nil {
				return err
			}
			return a.topicConfigChange(ctx, adm, args[0], changes, dry)
		}),
	}
	dryRunFlag(c, &dry)
	return c
}

func topicConfigUnset(a *App) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:               "unset TOPIC KEY...",
		Short:             "Return settings of a topic to their defaults",
		Example:           `  odradek topic config unset orders retention.ms`,
		Args:              names(2, "KEY"),
		ValidArgsFunction: first(a.completeTopics, completeKeys(config.Topic)),
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			changes, err := alterations(nil, args[1:])
			if err != nil {
				return err
			}
			return a.topicConfigChange(ctx, adm, args[0], changes, dry)
		}),
	}
	dryRunFlag(c, &dry)
	return c
}

func (a *App) topicConfigChange(ctx context.Context, adm *kadm.Client, topic string, changes []kadm.AlterConfig, dry bool) error {
	l := &listing{kind: "ConfigChange", noun: "topic", columns: []string{"resource", "key", "value", "status"}}
	done, err := alterTopicConfigs(ctx, adm, changes, []string{topic}, dry, l)
	if err != nil {
		return err
	}
	if len(done) > 0 {
		addChanges(l, topic, changes, dry)
	}
	return a.print(l)
}

// configChange is a setting that was changed.
type configChange struct {
	Resource string  `json:"resource"`
	Key      string  `json:"key"`
	Value    *string `json:"value"` // null: the default again
	Status   string  `json:"status"`
}

func addChanges(l *listing, resource string, changes []kadm.AlterConfig, dry bool) {
	for _, c := range changes {
		item := configChange{resource, c.Name, c.Value, status(dry, "set", "set")}
		shown := "(default)"
		if c.Op == kadm.DeleteConfig {
			item.Status = status(dry, "unset", "unset")
		} else {
			shown = strings.ReplaceAll(*c.Value, "\n", " ")
		}
		l.add(item, resource, c.Name, shown, item.Status)
	}
}
