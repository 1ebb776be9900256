package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// completionTimeout is how long a shell waits for the cluster when Tab is pressed.
const completionTimeout = 500 * time.Millisecond

// completer offers words for the argument that is being typed.
type completer = func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// fromCluster offers what list says, if the cluster answers soon.
func (a *App) fromCluster(c *cobra.Command, list func(context.Context, *kadm.Client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	client, err := a.client(kgo.RequestRetries(0), kgo.RetryTimeout(completionTimeout), kgo.DialTimeout(completionTimeout),
		kgo.RequestTimeoutOverhead(completionTimeout))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(contextOf(c), completionTimeout)
	defer cancel()
	words, err := list(ctx, kadm.NewClient(client))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

func contextOf(c *cobra.Command) context.Context {
	if ctx := c.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

func (a *App) completeTopics(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.fromCluster(c, func(ctx context.Context, adm *kadm.Client) ([]string, error) {
		topics, err := adm.ListTopics(ctx)
		return topics.Names(), err
	})
}

func (a *App) completeGroups(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.fromCluster(c, func(ctx context.Context, adm *kadm.Client) ([]string, error) {
		groups, err := adm.ListGroups(ctx)
		return groups.Groups(), err
	})
}

func (a *App) completeBrokers(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.fromCluster(c, func(ctx context.Context, adm *kadm.Client) ([]string, error) {
		brokers, err := adm.ListBrokers(ctx)
		var ids []string
		for _, b := range brokers {
			ids = append(ids, fmt.Sprint(b.NodeID))
		}
		return ids, err
	})
}

// completeKeys offers the keys of a scope.
func completeKeys(scope config.Scope) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var keys []string
		for d := range config.All(scope) {
			keys = append(keys, d.Name)
		}
		return keys, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeSettings offers KEY= for the keys of a scope.
func completeSettings(scope config.Scope) completer {
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		keys, directive := completeKeys(scope)(c, args, typed)
		for i := range keys {
			keys[i] += "="
		}
		return keys, directive | cobra.ShellCompDirectiveNoSpace
	}
}

// first completes the first argument by one completer and the others by another.
func first(one, others completer) completer {
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return one(c, args, typed)
		}
		return others(c, args, typed)
	}
}

func (a *App) completeFlag(c *cobra.Command, flag string, f completer) {
	if err := c.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic("bug: " + err.Error())
	}
}
