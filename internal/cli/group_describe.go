package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

type groupDescription struct {
	Group       string        `json:"group"`
	State       string        `json:"state"`
	Protocol    string        `json:"protocolType"`
	Assignor    string        `json:"assignor"`
	Coordinator int32         `json:"coordinator"`
	Lag         int64         `json:"lag"` // of all partitions
	Members     []groupMember `json:"members"`
	Offsets     []groupOffset `json:"offsets"`
}

type groupMember struct {
	Member   string           `json:"member"`
	Instance *string          `json:"instance"`
	Client   string           `json:"client"`
	Host     string           `json:"host"`
	Assigned []assignedTopics `json:"assigned"`
}

type assignedTopics struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
}

type groupOffset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed *int64 `json:"committed"` // null: nothing was committed
	Start     *int64 `json:"start"`
	End       *int64 `json:"end"`
	Lag       *int64 `json:"lag"`
	Member    string `json:"member,omitempty"`
	Client    string `json:"client,omitempty"`
	Error     string `json:"error,omitempty"`
}

func groupDescribe(a *App) *cobra.Command {
	var members bool
	c := &cobra.Command{
		Use:   "describe GROUP...",
		Short: "Show state, members, committed offsets and lag of groups",
		Example: `  odradek group describe billing
  odradek group describe billing --members
  odradek group describe billing -o json`,
		Aliases:           []string{"lag"},
		Args:              names(1, "GROUP"),
		ValidArgsFunction: a.completeGroups,
		RunE: a.groupWork(allOf, func(ctx context.Context, adm *kadm.Client, args []string) error {
			lags, err := adm.Lag(ctx, uniq(args)...)
			if err != nil {
				return err
			}
			l := &listing{kind: "GroupDescription", noun: "group"}
			var described []groupDescription
			for _, name := range uniq(args) {
				g := lags[name]
				if err := lagError(g); err != nil {
					l.fail(name, err)
					continue
				}
				d := describeGroup(g)
				described = append(described, d)
				l.add(d, d.Group)
			}
			l.text = func(w io.Writer) error { return a.writeGroups(w, described, members) }
			return a.print(l)
		}),
	}
	c.Flags().BoolVar(&members, "members", false, "show a line a member instead of a line a partition")
	return c
}

func lagError(g kadm.DescribedGroupLag) error {
	if err := g.Error(); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return err
	} else if err != nil || g.State == "Dead" || g.State == "" {
		return kerr.GroupIDNotFound
	}
	return nil
}

func describeGroup(g kadm.DescribedGroupLag) groupDescription {
	d := groupDescription{Group: g.Group, State: g.State, Protocol: g.ProtocolType, Assignor: g.Protocol,
		Coordinator: g.Coordinator.NodeID, Members: []groupMember{}, Offsets: []groupOffset{}}
	for _, m := range g.Members {
		d.Members = append(d.Members, newGroupMember(m))
	}
	for _, p := range g.Lag.Sorted() {
		o := newGroupOffset(p)
		d.Offsets = append(d.Offsets, o)
		if o.Lag != nil {
			d.Lag += *o.Lag
		}
	}
	return d
}

func newGroupMember(m kadm.DescribedGroupMember) groupMember {
	item := groupMember{Member: m.MemberID, Instance: m.InstanceID, Client: m.ClientID, Host: m.ClientHost, Assigned: []assignedTopics{}}
	if c, ok := m.Assigned.AsConsumer(); ok {
		for _, t := range c.Topics {
			slices.Sort(t.Partitions)
			item.Assigned = append(item.Assigned, assignedTopics{t.Topic, notNil(t.Partitions)})
		}
	}
	slices.SortFunc(item.Assigned, func(a, b assignedTopics) int { return strings.Compare(a.Topic, b.Topic) })
	return item
}

func newGroupOffset(p kadm.GroupMemberLag) groupOffset {
	o := groupOffset{Topic: p.Topic, Partition: p.Partition}
	if p.Member != nil {
		o.Member, o.Client = p.Member.MemberID, p.Member.ClientID
	}
	if p.Commit.At >= 0 {
		o.Committed = &p.Commit.At
	}
	if p.Start.Err == nil {
		o.Start = &p.Start.Offset
	}
	if p.End.Err == nil {
		o.End = &p.End.Offset
	}
	switch {
	case p.Err != nil:
		o.Error = explain(p.Err)
	case p.Lag >= 0 && o.Committed != nil:
		o.Lag = &p.Lag
	}
	return o
}

// writeGroups prints a block a group: what it is, then its partitions or its members.
func (a *App) writeGroups(w io.Writer, groups []groupDescription, members bool) error {
	for i, g := range groups {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "group        %s\nstate        %s\nassignor     %s\ncoordinator  %d\nmembers      %d\nlag          %d\n\n",
			g.Group, g.State, orDash(g.Assignor), g.Coordinator, len(g.Members), g.Lag)
		table := offsetTable(g)
		if members {
			table = memberTable(g)
		}
		if err := a.out.table(w, table); err != nil {
			return err
		}
	}
	return nil
}

func offsetTable(g groupDescription) *listing {
	t := &listing{columns: []string{"topic", "partition", "committed", "start", "end", "lag", "member", "client"}}
	for _, o := range g.Offsets {
		t.add(nil, o.Topic, fmt.Sprint(o.Partition), dashed(o.Committed), dashed(o.Start), dashed(o.End), dashed(o.Lag), orDash(o.Member), orDash(o.Client))
	}
	return t
}

func memberTable(g groupDescription) *listing {
	t := &listing{columns: []string{"member", "instance", "client", "host", "partitions"}}
	for _, m := range g.Members {
		var parts []string
		for _, at := range m.Assigned {
			parts = append(parts, at.Topic+":"+ids(at.Partitions))
		}
		instance := "-"
		if m.Instance != nil {
			instance = *m.Instance
		}
		t.add(nil, m.Member, instance, orDash(m.Client), orDash(m.Host), orDash(strings.Join(parts, ";")))
	}
	return t
}

func dashed(n *int64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}
