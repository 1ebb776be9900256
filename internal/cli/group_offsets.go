package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

// offsetItem is a groupOffset with its group, for a listing of several.
type offsetItem struct {
	Group string `json:"group"`
	groupOffset
}

func groupOffsetsCommand(a *App) *cobra.Command {
	var noTimes bool
	c := &cobra.Command{
		Use:   "offsets GROUP...",
		Short: "List where groups are in each partition, and their lag",
		Long:  "List where groups of any type are in each partition, and their lag.\n\n" + lagHelp,
		Example: `  odradek group offsets billing
  odradek group offsets billing --no-times -o jsonl`,
		Args:              names(1, "GROUP"),
		ValidArgsFunction: a.completeGroups,
		RunE: a.groupWork(allOf, func(ctx context.Context, cl *kgo.Client, args []string) error {
			l := &listing{kind: "GroupOffsetList", noun: "group", columns: []string{"group", "topic", "partition", "committed", "start", "end", "lag", "lag-time"}}
			err := eachGroup(ctx, cl, args, l, func(g groupView) error {
				list, err := a.groupOffsets(ctx, cl, g, !noTimes)
				for _, o := range list {
					l.add(offsetItem{g.Group, o}, append([]string{g.Group}, o.row()...)...)
				}
				return err
			})
			if err != nil {
				return err
			}
			return a.print(l)
		}),
	}
	noTimesFlag(c, &noTimes)
	return c
}
