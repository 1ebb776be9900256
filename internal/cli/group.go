package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func init() { nouns = append(nouns, groupCommand) }

func groupCommand(a *App) *cobra.Command {
	return noun("group", "Look at consumer groups, move and delete their offsets",
		groupList(a), groupDescribe(a), groupSeek(a), groupDelete(a), groupDeleteOffsets(a))
}

type groupItem struct {
	Group       string `json:"group"`
	State       string `json:"state"`
	Protocol    string `json:"protocolType"`
	Coordinator int32  `json:"coordinator"`
}

func groupList(a *App) *cobra.Command {
	var states []string
	c := &cobra.Command{
		Use:   "list",
		Short: "List groups",
		Example: `  odradek group list
  odradek group list --state Empty,Dead -o name`,
		Args: exactly(),
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, _ []string) error {
			groups, err := adm.ListGroups(ctx, states...)
			if err != nil {
				return err
			}
			l := &listing{kind: "GroupList", noun: "group", columns: []string{"group", "state", "protocol-type", "coordinator"}}
			for _, g := range groups.Sorted() {
				item := groupItem{g.Group, g.State, g.ProtocolType, g.Coordinator}
				l.add(item, g.Group, g.State, orDash(g.ProtocolType), fmt.Sprint(g.Coordinator))
			}
			return a.print(l)
		}),
	}
	c.Flags().StringSliceVar(&states, "state", nil, "only groups in these states: Stable, Empty, Dead, PreparingRebalance, CompletingRebalance")
	return c
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func groupDelete(a *App) *cobra.Command {
	var ifExists, dry bool
	c := &cobra.Command{
		Use:   "delete GROUP...",
		Short: "Delete groups and the offsets that they committed",
		Example: `  odradek group delete billing
  odradek group delete billing -y --if-exists`,
		Args:              names(1, "GROUP"),
		ValidArgsFunction: a.completeGroups,
		RunE: a.groupWork(allOf, func(ctx context.Context, adm *kadm.Client, args []string) error {
			l := &listing{kind: "GroupChange", noun: "group", columns: []string{"group", "status"}}
			found, err := findGroups(ctx, adm, uniq(args), ifExists, l)
			if err != nil {
				return err
			}
			if err := a.deleteGroups(ctx, adm, found, dry, l); err != nil {
				return err
			}
			return a.print(l)
		}),
	}
	c.Flags().BoolVar(&ifExists, "if-exists", false, "a group that does not exist is fine")
	dryRunFlag(c, &dry)
	return c
}

// groupWork is adminWork for groups: it waits until those that pick names of its
// arguments have a coordinator. A cluster that never had a group makes the topic for
// offsets first, and says meanwhile that there is none.
func (a *App) groupWork(pick func(args []string) []string, work adminWork) func(*cobra.Command, []string) error {
	return a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
		for _, group := range pick(args) {
			if err := awaitCoordinator(ctx, adm, group); err != nil {
				return fmt.Errorf("group %q: %w", group, err)
			}
		}
		return work(ctx, adm, args)
	})
}

func allOf(args []string) []string    { return args }
func firstArg(args []string) []string { return args[:1] }

func awaitCoordinator(ctx context.Context, adm *kadm.Client, group string) error {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := adm.FindGroupCoordinators(ctx, group).Error()
		if !errors.Is(err, kerr.CoordinatorNotAvailable) && !errors.Is(err, kerr.CoordinatorLoadInProgress) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// findGroups returns those that exist; the others become errors of l.
func findGroups(ctx context.Context, adm *kadm.Client, names []string, ifExists bool, l *listing) ([]kadm.DescribedGroup, error) {
	described, err := adm.DescribeGroups(ctx, names...)
	if err != nil {
		return nil, err
	}
	var found []kadm.DescribedGroup
	for _, name := range names {
		g := described[name]
		switch err := groupError(g); {
		case errors.Is(err, kerr.GroupIDNotFound) && ifExists:
		case err != nil:
			l.fail(name, err)
		default:
			found = append(found, g)
		}
	}
	return found, nil
}

// groupError says why a group could not be described. Dead groups do not exist: that is
// how older brokers say so.
func groupError(g kadm.DescribedGroup) error {
	if g.Err == nil && (g.State == "Dead" || g.State == "") {
		return kerr.GroupIDNotFound
	}
	if errors.Is(g.Err, kerr.GroupIDNotFound) {
		return kerr.GroupIDNotFound
	}
	return said(g.Err, g.ErrMessage)
}

func (a *App) deleteGroups(ctx context.Context, adm *kadm.Client, found []kadm.DescribedGroup, dry bool, l *listing) error {
	preview := &listing{columns: []string{"group", "state", "members"}}
	var names []string
	for _, g := range found {
		preview.add(nil, g.Group, g.State, fmt.Sprint(len(g.Members)))
		names = append(names, g.Group)
	}
	var answers kadm.DeleteGroupResponses
	if !dry && len(found) > 0 {
		if err := a.confirm(preview, fmt.Sprintf("Delete %s and its offsets?", count(len(found), "group"))); err != nil {
			return err
		}
		var err error
		if answers, err = adm.DeleteGroups(ctx, names...); err != nil {
			return err
		}
	}
	for _, g := range found {
		r := answers[g.Group]
		if dry && len(g.Members) > 0 {
			r.Err = kerr.NonEmptyGroup
		}
		if r.Err != nil {
			l.fail(g.Group, said(r.Err, r.ErrMessage))
			continue
		}
		done := status(dry, "delete", "deleted")
		l.add(change{g.Group, done}, g.Group, done)
	}
	return nil
}
