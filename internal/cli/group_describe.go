package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

type groupDescription struct {
	groupView
	Lag       int64         `json:"lag"`       // of all partitions
	LagMillis *int64        `json:"lagMillis"` // of the partition that is farthest behind
	Offsets   []groupOffset `json:"offsets"`
}

func groupDescribe(a *App) *cobra.Command {
	var members, noTimes bool
	c := &cobra.Command{
		Use:   "describe GROUP...",
		Short: "Show state, members, committed offsets and lag of groups",
		Long:  "Show state, members, committed offsets and lag of groups of any type.\n\n" + lagHelp,
		Example: `  odradek group describe billing
  odradek group describe billing --members
  odradek group describe billing -o json`,
		Aliases:           []string{"lag"},
		Args:              names(1, "GROUP"),
		ValidArgsFunction: a.completeGroups,
		RunE: a.groupWork(allOf, func(ctx context.Context, cl *kgo.Client, args []string) error {
			l := &listing{kind: "GroupDescription", noun: "group"}
			var described []groupDescription
			err := eachGroup(ctx, cl, args, l, func(g groupView) error {
				d := groupDescription{groupView: g}
				var err error
				if d.Offsets, err = a.groupOffsets(ctx, cl, g, !noTimes); err != nil {
					return err
				}
				d.Offsets = append([]groupOffset{}, d.Offsets...)
				d.Lag, d.LagMillis = sumLag(d.Offsets)
				described = append(described, d)
				l.add(d, d.Group)
				return nil
			})
			if err != nil {
				return err
			}
			l.text = func(w io.Writer) error { return a.writeGroups(w, described, members) }
			return a.print(l)
		}),
	}
	c.Flags().BoolVar(&members, "members", false, "show a line a member instead of a line a partition")
	noTimesFlag(c, &noTimes)
	return c
}

func noTimesFlag(c *cobra.Command, noTimes *bool) {
	c.Flags().BoolVar(noTimes, "no-times", false, "do not measure lag in time, which reads a batch of each partition that lags")
}

// eachGroup calls f with each group that is named. What is not there or fails becomes
// errors of l.
func eachGroup(ctx context.Context, cl *kgo.Client, args []string, l *listing, f func(groupView) error) error {
	names := uniq(args)
	found, err := lookAtGroups(ctx, cl, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		g, err := found.get(name)
		if err == nil {
			err = f(g)
		}
		if err != nil {
			l.fail(name, err)
		}
	}
	return nil
}

// writeGroups prints a block a group: what it is, then its partitions or its members.
func (a *App) writeGroups(w io.Writer, groups []groupDescription, members bool) error {
	for i, g := range groups {
		if i > 0 {
			fmt.Fprintln(w)
		}
		head := &listing{rows: [][]string{
			{"group", g.Group}, {"type", g.Type}, {"state", g.State}, {"epoch", epochsText(g.groupView)}, {"assignor", orDash(g.Assignor)},
			{"coordinator", fmt.Sprint(g.Coordinator)}, {"members", fmt.Sprint(len(g.Members))}, {"lag", fmt.Sprint(g.Lag)}, {"lag-time", lagTime(g.LagMillis)},
		}}
		if g.Epoch == nil {
			head.rows = append(head.rows[:3], head.rows[4:]...)
		}
		if err := a.out.table(w, head); err != nil {
			return err
		}
		fmt.Fprintln(w)
		table := offsetTable(g.Offsets)
		if members {
			table = memberTable(g.Members)
		}
		if err := a.out.table(w, table); err != nil {
			return err
		}
	}
	return nil
}

// epochsText is 7, or 7 (target 6) while the members' target is that of an older epoch.
func epochsText(g groupView) string {
	if g.Epoch == nil {
		return "-"
	}
	if g.TargetEpoch != nil && *g.TargetEpoch != *g.Epoch {
		return fmt.Sprintf("%d (target %d)", *g.Epoch, *g.TargetEpoch)
	}
	return fmt.Sprint(*g.Epoch)
}

func offsetTable(list []groupOffset) *listing {
	t := &listing{columns: []string{"topic", "partition", "committed", "start", "end", "lag", "lag-time", "member", "client"}}
	for _, o := range list {
		t.add(nil, append(o.row(), orDash(o.Member), orDash(o.Client))...)
	}
	return t
}

// row is a partition as tables show it.
func (o *groupOffset) row() []string {
	return []string{o.Topic, fmt.Sprint(o.Partition), dashed(o.Committed), dashed(o.Start), dashed(o.End), dashed(o.Lag), lagTime(o.LagMillis)}
}

func dashed[N int32 | int64](n *N) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func dashedText(s *string) string {
	if s == nil {
		return "-"
	}
	return orDash(*s)
}
