package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type topicDescription struct {
	topicItem
	Configs []configItem    `json:"configs"`
	Parts   []partitionItem `json:"partitionList"`
}

type partitionItem struct {
	Partition   int32   `json:"partition"`
	Leader      int32   `json:"leader"`
	LeaderEpoch int32   `json:"leaderEpoch"`
	Replicas    []int32 `json:"replicas"`
	ISR         []int32 `json:"isr"`
	Offline     []int32 `json:"offlineReplicas"`
	Start       int64   `json:"startOffset"` // -1 if nobody could say
	End         int64   `json:"endOffset"`
}

func topicDescribe(a *App) *cobra.Command {
	var pick topicPick
	c := &cobra.Command{
		Use:   "describe TOPIC...",
		Short: "Show partitions, replicas, offsets and changed settings of topics",
		Example: `  odradek topic describe orders
  odradek topic describe --regex 'orders-.*' -o json`,
		Args:              names(1, "TOPIC"),
		ValidArgsFunction: a.completeTopics,
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			l := &listing{kind: "TopicDescription", noun: "topic"}
			found, err := pick.find(ctx, adm, args, l)
			if err != nil {
				return err
			}
			described, err := a.describeTopics(ctx, adm, found)
			if err != nil {
				return err
			}
			for _, d := range described {
				l.add(d, d.Name)
			}
			l.text = func(w io.Writer) error { return a.writeTopics(w, described) }
			return a.print(l)
		}),
	}
	pick.flags(c)
	pick.internal = true
	return c
}

func (a *App) describeTopics(ctx context.Context, adm *kadm.Client, topics []kadm.TopicDetail) ([]topicDescription, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	ends, err := a.logEnds(ctx, adm, namesOf(topics)...)
	if err != nil {
		return nil, err
	}
	configs, err := adm.DescribeTopicConfigs(ctx, namesOf(topics)...)
	if err != nil {
		return nil, err
	}
	var out []topicDescription
	for _, t := range topics {
		d := topicDescription{topicItem: newTopicItem(t), Configs: []configItem{}}
		if rc, err := configs.On(t.Topic, nil); err == nil {
			d.Configs = onlyChanged(rc.Configs)
		}
		for _, p := range t.Partitions.Sorted() {
			d.Parts = append(d.Parts, newPartitionItem(p, ends))
		}
		out = append(out, d)
	}
	return out, nil
}

func newPartitionItem(p kadm.PartitionDetail, ends logEnds) partitionItem {
	start, end, err := ends.bounds(p.Topic, p.Partition)
	if err != nil {
		start, end = -1, -1
	}
	return partitionItem{p.Partition, p.Leader, p.LeaderEpoch, notNil(p.Replicas), notNil(p.ISR), notNil(p.OfflineReplicas), start, end}
}

func notNil(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}

// onlyChanged are the settings that were made for the resource itself.
func onlyChanged(configs []kadm.Config) []configItem {
	out := []configItem{}
	for _, c := range configs {
		switch c.Source {
		case kmsg.ConfigSourceDynamicTopicConfig, kmsg.ConfigSourceDynamicBrokerConfig, kmsg.ConfigSourceDynamicDefaultBrokerConfig:
			out = append(out, newConfigItem(c))
		}
	}
	return out
}

// writeTopics prints a block a topic: what it is, what was set, and its partitions.
func (a *App) writeTopics(w io.Writer, topics []topicDescription) error {
	for i, t := range topics {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "topic       %s\nid          %s\npartitions  %d\nreplicas    %d\n", t.Name, t.ID, t.Partitions, t.ReplicationFactor)
		for _, c := range t.Configs {
			fmt.Fprintf(w, "config      %s=%s\n", c.Key, c.shown())
		}
		fmt.Fprintln(w)
		table := &listing{columns: []string{"partition", "leader", "epoch", "replicas", "isr", "start", "end"}}
		for _, p := range t.Parts {
			table.add(nil, fmt.Sprint(p.Partition), orNone(p.Leader), fmt.Sprint(p.LeaderEpoch), ids(p.Replicas), ids(p.ISR), unknown(p.Start), unknown(p.End))
		}
		if err := a.out.table(w, table); err != nil {
			return err
		}
	}
	return nil
}

func orNone(leader int32) string {
	if leader < 0 {
		return "none"
	}
	return fmt.Sprint(leader)
}

func unknown(offset int64) string {
	if offset < 0 {
		return "?"
	}
	return fmt.Sprint(offset)
}

// ids prints broker ids as Kafka's tools do: 1,2,3.
func ids(list []int32) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
}
