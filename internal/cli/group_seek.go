package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

type sought struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      *int64 `json:"from"` // null: nothing was committed
	To        int64  `json:"to"`
	End       int64  `json:"end"`
	Status    string `json:"status"`
}

func (s sought) row() []string {
	return []string{s.Topic, fmt.Sprint(s.Partition), dashed(s.From), fmt.Sprint(s.To), fmt.Sprint(s.End)}
}

func groupSeek(a *App) *cobra.Command {
	var (
		to        string
		dry, live bool
		share     bool
	)
	c := &cobra.Command{
		Use:   "seek GROUP [TOPIC[:PARTITIONS]...]",
		Short: "Move the committed offsets of a group that has no members",
		Long: `Move the committed offsets of a group that has no members, in all topics of which it
committed offsets, or in those that are named, to a place: ` + whenForms + `.
Places outside a partition become its nearest end. Of a share group its start offsets are
moved, and what it knew of records after them is forgotten.

With --live, a group that has members is moved, too, which Kafka refuses: the coordinator
drops them in the same command, so that none commits over what was moved. They join again
by themselves, as after a network failure, and begin at the new places. Share groups cannot
be moved so.`,
		Example: `  odradek group seek billing --to start --dry-run
  odradek group seek billing orders:0,1 --to -100 -y
  odradek group seek billing --to end --live -y
  odradek group seek billing orders --to @2026-01-31T12:00:00Z -y`,
		Args:              names(1, "GROUP"),
		ValidArgsFunction: first(a.completeGroups, a.completeTopics),
		RunE: a.groupWork(firstArg, func(ctx context.Context, cl *kgo.Client, args []string) error {
			place, err := parseWhere(to, time.Now())
			if err != nil {
				return err
			}
			l := &listing{kind: "GroupSeek", noun: "topic", columns: []string{"topic", "partition", "from", "to", "end", "status"}}
			g, err := seekable(ctx, cl, args[0], live)
			if err != nil {
				return err
			}
			if share && g.State == "" {
				g.Type = shareGroup
			}
			adm := kadm.NewClient(cl)
			plan, err := a.planSeek(ctx, adm, g, args[1:], place, l)
			if err != nil {
				return err
			}
			commit := func(offsets kadm.Offsets) (map[topicPartition]error, error) { return commitFor(ctx, adm, g, offsets) }
			if len(g.Members) > 0 {
				commit = func(offsets kadm.Offsets) (map[topicPartition]error, error) {
					return commitLive(ctx, cl, g.Group, offsets)
				}
			}
			if err := a.seek(g, plan, commit, dry, l); err != nil {
				return err
			}
			return a.print(l)
		}),
	}
	c.Flags().StringVar(&to, "to", "", "the place to move to; it must be given")
	_ = c.MarkFlagRequired("to")
	c.Flags().BoolVar(&live, "live", false, "also move a group that has members: they are dropped and join again")
	c.Flags().BoolVar(&share, "share", false, "a group that does not exist yet is a share group")
	dryRunFlag(c, &dry)
	return c
}

// planSeek says for each partition where the group is and where it would be.
func (a *App) planSeek(ctx context.Context, adm *kadm.Client, g groupView, topics []string, place where, l *listing) ([]sought, error) {
	group := g.Group
	var committed map[topicPartition]*groupOffset
	if g.State != "" || g.Type != shareGroup {
		var err error
		if committed, err = committedOffsets(ctx, adm, g); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return nil, fmt.Errorf("group %q: %w", group, err)
		}
	}
	all := len(topics) == 0
	if all {
		topics = committedTopics(committed)
	}
	if len(topics) == 0 {
		return nil, &codedError{fmt.Errorf("group %q has committed nothing. Hint: name the topics in which it shall begin", group), exitNotFound}
	}
	targets, err := a.resolve(ctx, adm, topics, place, l)
	if err != nil {
		return nil, err
	}
	var plan []sought
	for _, t := range targets {
		at, ok := committed[topicPartition{t.topic, t.partition}]
		if all && !ok {
			continue
		}
		s := sought{Group: group, Topic: t.topic, Partition: t.partition, To: t.at, End: t.end}
		if ok {
			s.From = at.Committed
		}
		if place.kind == atShift {
			if s.From == nil {
				l.fail(t.name(), errors.New("the group committed nothing there, so there is nothing to shift from"))
				continue
			}
			s.To = *s.From + place.value
		}
		s.To = min(max(s.To, t.start), t.end)
		plan = append(plan, s)
	}
	return plan, nil
}

func committedTopics(committed map[topicPartition]*groupOffset) []string {
	var topics []string
	for p := range committed {
		topics = append(topics, p.topic)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// seekable returns a group that can be moved. It refuses one with members, who would
// overwrite what is moved, unless they shall be dropped. A group that does not exist is fine: it begins with what is
// committed for it.
func seekable(ctx context.Context, cl *kgo.Client, group string, live bool) (groupView, error) {
	g, err := groupOrClassic(ctx, cl, group)
	if err == nil && len(g.Members) > 0 && (!live || g.Type == shareGroup) {
		err = fmt.Errorf("group %q has %s: %w", group, count(len(g.Members), "member"), kerr.NonEmptyGroup)
	}
	return g, err
}

// groupOrClassic returns a group. One that does not exist would be classic.
func groupOrClassic(ctx context.Context, cl *kgo.Client, group string) (groupView, error) {
	found, err := lookAtGroups(ctx, cl, []string{group})
	if err != nil {
		return groupView{}, err
	}
	g, err := found.get(group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return groupView{Group: group, Type: classicGroup}, nil
	}
	if err != nil {
		return g, fmt.Errorf("group %q: %w", group, err)
	}
	return g, nil
}

// seek commits what was planned, if it is agreed to.
func (a *App) seek(g groupView, plan []sought, commit func(kadm.Offsets) (map[topicPartition]error, error), dry bool, l *listing) error {
	offsets := make(kadm.Offsets)
	preview := &listing{columns: []string{"topic", "partition", "from", "to", "end"}}
	for _, s := range plan {
		offsets.AddOffset(s.Topic, s.Partition, s.To, -1)
		preview.add(nil, s.row()...)
	}
	var answers map[topicPartition]error
	if !dry && len(plan) > 0 {
		question := fmt.Sprintf("Move group %q in %s?", g.Group, count(len(plan), "partition"))
		if n := len(g.Members); n > 0 {
			question = fmt.Sprintf("Drop %s of group %q, to join again, and move it in %s?", count(n, "member"), g.Group, count(len(plan), "partition"))
		}
		if err := a.confirm(preview, question); err != nil {
			return err
		}
		var err error
		if answers, err = commit(offsets); err != nil {
			return fmt.Errorf("group %q: %w", g.Group, err)
		}
	}
	for _, s := range plan {
		if err := answers[topicPartition{s.Topic, s.Partition}]; err != nil {
			l.fail(partitionName(s.Topic, s.Partition), err)
			continue
		}
		s.Status = status(dry, "move", "moved")
		l.add(s, append(s.row(), s.Status)...)
	}
	return nil
}

// commitFor makes a group without members begin at offsets. It returns what became of each
// partition.
func commitFor(ctx context.Context, adm *kadm.Client, g groupView, offsets kadm.Offsets) (map[topicPartition]error, error) {
	out := make(map[topicPartition]error)
	if g.Type == shareGroup {
		answers, err := adm.AlterShareGroupOffsets(ctx, g.Group, offsets)
		for topic, ps := range answers {
			for p, err := range ps {
				out[topicPartition{topic, p}] = err
			}
		}
		return out, err
	}
	answers, err := adm.CommitOffsets(ctx, g.Group, offsets)
	for _, r := range answers.Sorted() {
		out[topicPartition{r.Topic, r.Partition}] = r.Err
	}
	return out, err
}
