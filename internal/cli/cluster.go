package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() { nouns = append(nouns, clusterCommand) }

func clusterCommand(a *App) *cobra.Command {
	status := clusterStatus(a)
	c := noun("cluster", "Look at the cluster as a whole, and change who votes in it",
		status, clusterInfo(a), clusterHealth(a), clusterFeatures(a), clusterQuorum(a), clusterVoters(a))
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return helpOr(c, args)
		}
		status.SetContext(c.Context())
		return status.RunE(status, nil)
	}
	return c
}

type clusterItem struct {
	ID         string       `json:"id"`
	Controller int32        `json:"controller"`
	Topics     int          `json:"topics"`
	Partitions int          `json:"partitions"`
	Brokers    []brokerItem `json:"brokers"`
}

func clusterInfo(a *App) *cobra.Command {
	return &cobra.Command{
		Use: "info", Short: "Show the cluster's id, controller, brokers and size",
		Example: `  odradek cluster info
  odradek cluster info -o json`,
		Args: exactly(),
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, _ []string) error {
			md, err := adm.Metadata(ctx)
			if err != nil {
				return err
			}
			c := clusterItem{ID: md.Cluster, Controller: md.Controller, Topics: len(md.Topics), Brokers: brokerItems(md)}
			for _, t := range md.Topics {
				c.Partitions += len(t.Partitions)
			}
			l := &listing{kind: "Cluster"}
			l.add(c, c.ID)
			l.text = func(w io.Writer) error {
				fmt.Fprintf(w, "cluster     %s\ncontroller  %s\ntopics      %d\npartitions  %d\n\n", c.ID, orNone(c.Controller), c.Topics, c.Partitions)
				return a.out.table(w, brokerTable(c.Brokers))
			}
			return a.print(l)
		}),
	}
}

// trouble is something that is wrong with a partition or with the cluster.
type trouble struct {
	Problem   string `json:"problem"` // offline, under-replicated, under-min-isr, no-controller, no-brokers
	Topic     string `json:"topic,omitempty"`
	Partition int32  `json:"partition"` // -1: not about a partition
	Leader    int32  `json:"leader"`
	Detail    string `json:"detail"`
}

func clusterHealth(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Check that every partition has a leader and all its replicas",
		Long: `Check that there is a controller and that every partition has a leader, all its
replicas in sync, and as many as min.insync.replicas asks for. The exit code is 7 if
something is wrong.`,
		Example: `  odradek cluster health
  odradek cluster health -o jsonl`,
		Args: exactly(),
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, _ []string) error {
			md, err := adm.Metadata(ctx)
			if err != nil {
				return err
			}
			found, err := troubles(ctx, adm, md)
			if err != nil {
				return err
			}
			l := &listing{kind: "ClusterHealth", columns: []string{"problem", "topic", "partition", "leader", "detail"}}
			for _, t := range found {
				l.add(t, t.Problem, orDash(t.Topic), unknown(int64(t.Partition)), orNone(t.Leader), t.Detail)
			}
			if len(found) == 0 {
				l.text = func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "healthy: %s, %s\n", count(len(md.Brokers), "broker"), count(len(md.Topics), "topic"))
					return err
				}
			}
			if err := a.print(l); err != nil || len(found) == 0 {
				return err
			}
			return &codedError{errSilent, exitCheck}
		}),
	}
}

func troubles(ctx context.Context, adm *kadm.Client, md kadm.Metadata) ([]trouble, error) {
	var out []trouble
	if md.Controller < 0 {
		out = append(out, trouble{"no-controller", "", -1, -1, "nobody leads the metadata quorum"})
	}
	minISR, err := minISRs(ctx, adm, md.Topics.Names())
	if err != nil {
		return nil, err
	}
	for _, t := range md.Topics.Sorted() {
		for _, p := range t.Partitions.Sorted() {
			if word, detail := partitionTrouble(p, minISR[t.Topic]); word != "" {
				out = append(out, trouble{word, t.Topic, p.Partition, p.Leader, detail})
			}
		}
	}
	return out, nil
}

// partitionTrouble names the worst that is wrong with a partition.
func partitionTrouble(p kadm.PartitionDetail, minISR int) (word, detail string) {
	detail = fmt.Sprintf("%d of %d replicas in sync", len(p.ISR), len(p.Replicas))
	switch {
	case p.Leader < 0:
		return "offline", "no leader"
	case len(p.ISR) < minISR:
		return "under-min-isr", fmt.Sprintf("%s, %d wanted", detail, minISR)
	case len(p.ISR) < len(p.Replicas):
		return "under-replicated", detail
	}
	return "", ""
}

// minISRs are the topics' min.insync.replicas.
func minISRs(ctx context.Context, adm *kadm.Client, topics []string) (map[string]int, error) {
	configs, err := adm.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]int)
	for _, rc := range configs {
		for _, c := range rc.Configs {
			if c.Key == "min.insync.replicas" && c.Value != nil {
				if n, err := strconv.Atoi(*c.Value); err == nil {
					out[rc.Name] = n
				}
			}
		}
	}
	return out, nil
}

type featureItem struct {
	Feature      string `json:"feature"`
	SupportedMin int16  `json:"supportedMin"`
	SupportedMax int16  `json:"supportedMax"`
	Finalized    int16  `json:"finalized"` // 0: not in force
	Epoch        int64  `json:"epoch"`
}

func clusterFeatures(a *App) *cobra.Command {
	c := &cobra.Command{
		Use: "features", Short: "Show the cluster's features: what brokers support and what is in force",
		Example: `  odradek cluster features
  odradek cluster features -o json`,
		Args: exactly(),
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, _ []string) error {
			features, err := describeFeatures(ctx, cl)
			if err != nil {
				return err
			}
			l := &listing{kind: "FeatureList", noun: "feature", columns: []string{"feature", "supported-min", "supported-max", "finalized", "epoch"}}
			for _, f := range features {
				l.add(f, f.row()...)
			}
			return a.print(l)
		}),
	}
	c.AddCommand(featuresSet(a))
	return c
}

func featureItems(resp *kmsg.ApiVersionsResponse) []featureItem {
	inForce := make(map[string]int16)
	for _, f := range resp.FinalizedFeatures {
		inForce[f.Name] = f.MaxVersionLevel
	}
	var out []featureItem
	for _, f := range resp.SupportedFeatures {
		out = append(out, featureItem{f.Name, f.MinVersion, f.MaxVersion, inForce[f.Name], resp.FinalizedFeaturesEpoch})
	}
	slices.SortFunc(out, func(x, y featureItem) int { return strings.Compare(x.Feature, y.Feature) })
	return out
}
