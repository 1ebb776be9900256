package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() { nouns = append(nouns, groupCommand) }

func groupCommand(a *App) *cobra.Command {
	return noun("group", "Look at groups of all types, move and delete their offsets",
		groupList(a), groupDescribe(a), groupMembers(a), groupOffsetsCommand(a), groupSeek(a), groupDelete(a), groupDeleteOffsets(a))
}

type groupItem struct {
	Group       string `json:"group"`
	Type        string `json:"type"`
	State       string `json:"state"`
	Protocol    string `json:"protocolType"`
	Coordinator int32  `json:"coordinator"`
}

func groupList(a *App) *cobra.Command {
	var states, types []string
	c := &cobra.Command{
		Use:   "list",
		Short: "List groups",
		Example: `  odradek group list
  odradek group list --type share,consumer
  odradek group list --state Empty,Dead -o name`,
		Args: exactly(),
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, _ []string) error {
			l := &listing{kind: "GroupList", columns: []string{"group", "type", "state", "protocol-type", "coordinator"}}
			groups, err := listGroups(ctx, cl, types, states, l)
			if err != nil {
				return err
			}
			for _, g := range groups {
				l.add(g, g.Group, g.Type, g.State, orDash(g.Protocol), fmt.Sprint(g.Coordinator))
			}
			return a.print(l)
		}),
	}
	c.Flags().StringSliceVar(&states, "state", nil, "only groups in these states: Stable, Empty, Dead, PreparingRebalance, CompletingRebalance, Assigning, Reconciling, NotReady")
	c.Flags().StringSliceVar(&types, "type", nil, "only groups of these types: classic, consumer, share, streams")
	return c
}

// listGroups are the groups that the brokers coordinate, by name. Brokers that do not
// answer become errors of l; if none does, that is the error.
func listGroups(ctx context.Context, cl *kgo.Client, types, states []string, l *listing) ([]groupItem, error) {
	req := kmsg.NewPtrListGroupsRequest()
	req.TypesFilter, req.StatesFilter = types, states
	var out []groupItem
	err := everyBroker(ctx, cl, req, l, func(broker int32, kresp kmsg.Response) error {
		resp := kresp.(*kmsg.ListGroupsResponse)
		for _, g := range resp.Groups {
			item := groupItem{g.Group, g.GroupType, g.GroupState, g.ProtocolType, broker}
			if item.Type == "" { // a broker from before there were others
				item.Type = classicGroup
			}
			out = append(out, item)
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	slices.SortFunc(out, func(x, y groupItem) int { return strings.Compare(x.Group, y.Group) })
	return out, err
}

// everyBroker sends a request to each broker and calls took with each answer. Brokers that
// do not answer become errors of l; if none does, that is the error.
func everyBroker(ctx context.Context, cl *kgo.Client, req kmsg.Request, l *listing, took func(broker int32, resp kmsg.Response) error) error {
	var last error
	answered := 0
	for _, shard := range cl.RequestSharded(ctx, req) {
		err := shard.Err
		if err == nil {
			err = took(shard.Meta.NodeID, shard.Resp)
		}
		if err != nil {
			last = err
			l.fail(fmt.Sprintf("broker %d", shard.Meta.NodeID), err)
			continue
		}
		answered++
	}
	if answered == 0 && last != nil {
		return last
	}
	return nil
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
		RunE: a.groupWork(allOf, func(ctx context.Context, cl *kgo.Client, args []string) error {
			l := &listing{kind: "GroupChange", noun: "group", columns: []string{"group", "status"}}
			found, err := findGroups(ctx, cl, uniq(args), ifExists, l)
			if err != nil {
				return err
			}
			if err := a.deleteGroups(ctx, kadm.NewClient(cl), found, dry, l); err != nil {
				return err
			}
			return a.print(l)
		}),
	}
	c.Flags().BoolVar(&ifExists, "if-exists", false, "a group that does not exist is fine")
	dryRunFlag(c, &dry)
	return c
}

// groupWork is work about groups: it waits until those that pick names of its arguments
// have a coordinator. A cluster that never had a group makes the topic for offsets first,
// and says meanwhile that there is none.
func (a *App) groupWork(pick func(args []string) []string, work func(context.Context, *kgo.Client, []string) error) func(*cobra.Command, []string) error {
	return a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
		for _, group := range pick(args) {
			if err := awaitCoordinator(ctx, kadm.NewClient(cl), group); err != nil {
				return fmt.Errorf("group %q: %w", group, err)
			}
		}
		return work(ctx, cl, args)
	})
}

func allOf(args []string) []string    { return args }
func firstArg(args []string) []string { return args[:1] }

func awaitCoordinator(ctx context.Context, adm *kadm.Client, group string) error {
	return awaitFound(ctx, func() error { return adm.FindGroupCoordinators(ctx, group).Error() })
}

// awaitFound asks for a coordinator until there is one.
func awaitFound(ctx context.Context, find func() error) error {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := find()
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
func findGroups(ctx context.Context, cl *kgo.Client, names []string, ifExists bool, l *listing) ([]groupView, error) {
	described, err := lookAtGroups(ctx, cl, names)
	if err != nil {
		return nil, err
	}
	var found []groupView
	for _, name := range names {
		g, err := described.get(name)
		switch {
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

func (a *App) deleteGroups(ctx context.Context, adm *kadm.Client, found []groupView, dry bool, l *listing) error {
	preview := &listing{columns: []string{"group", "type", "state", "members"}}
	var names []string
	for _, g := range found {
		preview.add(nil, g.Group, g.Type, g.State, fmt.Sprint(len(g.Members)))
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
