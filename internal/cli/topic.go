package cli

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func init() { nouns = append(nouns, topicCommand) }

func topicCommand(a *App) *cobra.Command {
	return noun("topic", "Create, look at, change and delete topics",
		topicList(a), topicDescribe(a), topicCreate(a), topicAlter(a), topicAddPartitions(a),
		topicConfig(a), topicTrim(a), topicDelete(a))
}

type topicItem struct {
	Name              string `json:"name"`
	ID                string `json:"id"`
	Partitions        int    `json:"partitions"`
	ReplicationFactor int    `json:"replicationFactor"`
	Internal          bool   `json:"internal"`
}

func newTopicItem(t kadm.TopicDetail) topicItem {
	return topicItem{t.Topic, model.ID(t.ID).String(), len(t.Partitions), t.Partitions.NumReplicas(), t.IsInternal}
}

func topicList(a *App) *cobra.Command {
	var pick topicPick
	c := &cobra.Command{
		Use:   "list [TOPIC...]",
		Short: "List topics",
		Example: `  odradek topic list
  odradek topic list --regex 'orders-.*' -o name`,
		ValidArgsFunction: a.completeTopics,
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			l := &listing{kind: "TopicList", noun: "topic", columns: []string{"topic", "partitions", "replicas"}}
			found, err := pick.find(ctx, adm, args, l)
			if err != nil {
				return err
			}
			for _, t := range found {
				item := newTopicItem(t)
				l.add(item, item.Name, fmt.Sprint(item.Partitions), fmt.Sprint(item.ReplicationFactor))
			}
			return a.print(l)
		}),
	}
	pick.flags(c)
	c.Flags().BoolVar(&pick.internal, "internal", false, "list the cluster's own topics too")
	return c
}

// topicPick says which topics a command is about.
type topicPick struct {
	regex    bool
	internal bool
}

func (p *topicPick) flags(c *cobra.Command) {
	c.Flags().BoolVar(&p.regex, "regex", false, "names are regular expressions that match whole names")
}

// find returns the topics that args name, all if there are none, in order. Names that do
// not exist become errors of l; so do patterns that match nothing.
func (p *topicPick) find(ctx context.Context, adm *kadm.Client, args []string, l *listing) ([]kadm.TopicDetail, error) {
	if p.regex || len(args) == 0 {
		return p.match(ctx, adm, args, l)
	}
	details, err := adm.ListTopicsWithInternal(ctx, args...)
	if err != nil {
		return nil, err
	}
	var found []kadm.TopicDetail
	for _, name := range uniq(args) {
		d, ok := details[name]
		switch {
		case !ok:
			l.fail(name, kerr.UnknownTopicOrPartition)
		case d.Err != nil:
			l.fail(name, d.Err)
		default:
			found = append(found, d)
		}
	}
	return found, nil
}

func (p *topicPick) match(ctx context.Context, adm *kadm.Client, args []string, l *listing) ([]kadm.TopicDetail, error) {
	patterns, err := wholeNames(args)
	if err != nil {
		return nil, err
	}
	details, err := adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return nil, err
	}
	var found []kadm.TopicDetail
	hits := make([]bool, len(patterns))
	for _, d := range details.Sorted() {
		if d.IsInternal && !p.internal {
			continue
		}
		if len(patterns) == 0 || anyMatch(patterns, d.Topic, hits) {
			found = append(found, d)
		}
	}
	for i, hit := range hits {
		if !hit {
			l.fail(args[i], fmt.Errorf("no topic matches: %w", kerr.UnknownTopicOrPartition))
		}
	}
	return found, nil
}

// wholeNames compiles patterns that must match from the first to the last letter.
func wholeNames(args []string) ([]*regexp.Regexp, error) {
	var out []*regexp.Regexp
	for _, arg := range args {
		re, err := regexp.Compile("^(?:" + arg + ")$")
		if err != nil {
			return nil, usagef("%q is no regular expression: %s", arg, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		out = append(out, re)
	}
	return out, nil
}

func anyMatch(patterns []*regexp.Regexp, name string, hits []bool) bool {
	matched := false
	for i, re := range patterns {
		if re.MatchString(name) {
			hits[i], matched = true, true
		}
	}
	return matched
}

// uniq returns args without repetitions, in order.
func uniq(args []string) []string {
	var out []string
	for _, arg := range args {
		if !slices.Contains(out, arg) {
			out = append(out, arg)
		}
	}
	return out
}

func namesOf(topics []kadm.TopicDetail) []string {
	var out []string
	for _, t := range topics {
		out = append(out, t.Topic)
	}
	return out
}

// dryRunFlag is the flag of every command that changes something.
func dryRunFlag(c *cobra.Command, dry *bool) {
	c.Flags().BoolVar(dry, "dry-run", false, "say what would be done, and do nothing")
}
