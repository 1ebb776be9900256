package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

// memberItem is a member with its group, for a listing of several.
type memberItem struct {
	Group string `json:"group"`
	groupMember
}

func groupMembers(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "members GROUP...",
		Short: "List the members of groups, what they have and what they shall have",
		Long: `List the members of groups: what they have, and what they shall have, where the group's
type tells that apart. Members of the classic protocol can be in a group of type consumer
while it is migrated.`,
		Example: `  odradek group members billing
  odradek group members billing -o json`,
		Args:              names(1, "GROUP"),
		ValidArgsFunction: a.completeGroups,
		RunE: a.groupWork(allOf, func(ctx context.Context, cl *kgo.Client, args []string) error {
			l := &listing{kind: "GroupMemberList", noun: "group", columns: append([]string{"group"}, memberColumns...)}
			err := eachGroup(ctx, cl, args, l, func(g groupView) error {
				for _, m := range g.Members {
					l.add(memberItem{g.Group, m}, append([]string{g.Group}, m.row()...)...)
				}
				return nil
			})
			if err != nil {
				return err
			}
			return a.print(l)
		}),
	}
}

var memberColumns = []string{"member", "type", "instance", "client", "host", "epoch", "partitions", "target"}

func (m *groupMember) row() []string {
	target := "="
	if m.Target != nil && assignedText(m.Target) != assignedText(m.Assigned) {
		target = assignedText(m.Target)
	}
	return []string{m.Member, m.Type, dashedText(m.Instance), orDash(m.Client), orDash(m.Host), dashed(m.Epoch), assignedText(m.Assigned), target}
}

func memberTable(members []groupMember) *listing {
	t := &listing{columns: memberColumns}
	for _, m := range members {
		t.add(nil, m.row()...)
	}
	return t
}
