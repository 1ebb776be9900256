package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { tools["kafka-share-groups"] = shareGroupsTool }

var shareGroupsToolOptions = []toolOption{
	{"all-groups", noArg, "Apply to all share groups."},
	{"all-topics", noArg, "Consider all topics of a group when resetting offsets."},
	{"bootstrap-server", needsArg, "REQUIRED: The server(s) to connect to."},
	{"command-config", needsArg, "File of properties for the client."},
	{"delete", noArg, "Delete share groups."},
	{"delete-offsets", noArg, "Delete offsets of a share group for topics."},
	{"describe", noArg, "Describe share groups: members and offsets."},
	{"dry-run", noArg, "Only show what would be reset."},
	{"execute", noArg, "Do what was asked: reset offsets."},
	{"group", needsArg, "The share group; may be repeated."},
	{"list", noArg, "List all share groups."},
	{"members", noArg, "With --describe: the members."},
	{"offsets", noArg, "With --describe: offsets; the default."},
	{"reset-offsets", noArg, "Reset offsets of a share group without members."},
	{"state", mayHaveArg, "With --describe: the state. With --list: states, or only groups in some: Empty, Stable, Dead."},
	{"timeout", needsArg, "How long to wait, in ms."},
	{"to-datetime", needsArg, "Reset offsets to a time: YYYY-MM-DDThh:mm:ss.sss."},
	{"to-earliest", noArg, "Reset offsets to the earliest."},
	{"to-latest", noArg, "Reset offsets to the latest."},
	{"topic", needsArg, "A topic, or TOPIC:0,1,2 when resetting; may be repeated."},
	{"verbose", noArg, "Say more when describing."},
}

// shareGroupsTool is kafka-share-groups.sh.
func shareGroupsTool(ctx context.Context, a *App, args []string) error {
	return a.runTool(shareGroupsToolOptions, args, "This tool helps to list, describe, reset and delete share groups.", func(o *toolOptions) error {
		if err := checkShareGroupsTool(o); err != nil {
			return err
		}
		return a.withTool(ctx, o, "timeout", func(ctx context.Context, cl *kgo.Client) error {
			s := &shareToolRun{groupsToolRun{a: a, o: o, cl: cl, adm: kadm.NewClient(cl), tool: "share group", title: "Share group"}}
			return s.run(ctx)
		})
	})
}

func checkShareGroupsTool(o *toolOptions) error {
	if err := o.requires("bootstrap-server"); err != nil {
		return err
	}
	named := o.has("group") || o.has("all-groups")
	switch {
	case o.has("describe") && !named:
		return o.usage("Option [describe] takes one of these options: [all-groups], [group]")
	case o.has("describe") && o.count("members", "offsets", "state") > 1:
		return o.usage("Option [describe] takes at most one of these options: [members], [offsets], [state]")
	case o.has("describe") && len(o.all("state")) > 0:
		return o.usage("Option [describe] does not take a value for [state]")
	case o.has("delete") && !named:
		return o.usage("Option [delete] takes the options [group] or [all-groups]")
	case o.has("delete") && o.has("all-groups") && o.has("group"):
		return o.usage("Option [delete] takes either [group] or [all-groups], not both.")
	case o.has("delete") && o.has("topic"):
		return o.usage("Option [delete] does not take the option: [topic]")
	case o.has("delete-offsets") && (!o.has("group") || !o.has("topic")):
		return o.usage("Option [delete-offsets] takes the following options: [group], [topic]")
	}
	if err := checkShareReset(o); err != nil {
		return err
	}
	if err := o.excludes("group", "all-groups", "list"); err != nil {
		return err
	}
	if err := o.excludes("topic", "list", "describe"); err != nil {
		return err
	}
	if o.count("list", "describe", "delete", "reset-offsets", "delete-offsets") != 1 {
		return o.usage("Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets.")
	}
	return nil
}

func checkShareReset(o *toolOptions) error {
	scenarios := []string{"to-datetime", "to-earliest", "to-latest"}
	switch {
	case !o.has("reset-offsets"):
		return nil
	case o.has("dry-run") && o.has("execute"):
		return o.usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]")
	case !o.has("dry-run") && !o.has("execute"):
		return o.usage("Option [reset-offsets] takes the option: [execute] or [dry-run]")
	case !o.has("group"):
		return o.usage("Option [reset-offsets] takes the option: [group]")
	case !o.has("topic") && !o.has("all-topics"):
		return o.usage("Option [reset-offsets] takes one of these options: [all-topics], [topic]")
	case o.count(scenarios...) == 0:
		return o.usage("Option [reset-offsets] takes one of these options: [to-datetime], [to-earliest], [to-latest]")
	}
	for i, s := range scenarios {
		if err := o.excludes(s, scenarios[i+1:]...); err != nil {
			return err
		}
	}
	return nil
}

// shareToolRun is a run of kafka-share-groups.sh.
type shareToolRun struct{ groupsToolRun }

func (s *shareToolRun) run(ctx context.Context) error {
	switch {
	case s.o.has("list"):
		return s.told(s.list(ctx))
	case s.o.has("describe"):
		return s.told(s.describe(ctx))
	case s.o.has("delete"):
		return s.told(s.delete(ctx))
	case s.o.has("reset-offsets"):
		return s.told(s.reset(ctx))
	}
	return s.told(s.deleteOffsets(ctx))
}

func (s *shareToolRun) listed(ctx context.Context, states []string) ([]groupItem, error) {
	return s.listedAs(ctx, states, []string{shareGroup}, "share")
}

func (s *shareToolRun) list(ctx context.Context) error {
	states, err := s.words("state", []string{"Dead", "Empty", "Stable"}, "Invalid state list '%s'. Valid states are: %s")
	if err != nil {
		return err
	}
	groups, err := s.listed(ctx, states)
	if err != nil {
		return err
	}
	width := 15
	for _, g := range groups {
		width = max(width, len(g.Group))
	}
	if s.o.has("state") {
		fmt.Fprintf(s.a.Stdout, "%-*s %s\n", width, "GROUP", "STATE")
	}
	for _, g := range groups {
		if s.o.has("state") {
			fmt.Fprintf(s.a.Stdout, "%-*s %s\n", width, g.Group, g.State)
			continue
		}
		fmt.Fprintln(s.a.Stdout, g.Group)
	}
	return nil
}

func (s *shareToolRun) delete(ctx context.Context) error {
	there, err := s.listed(ctx, nil)
	if err != nil {
		return err
	}
	names := uniq(s.o.all("group"))
	if s.o.has("all-groups") {
		names = nil
		for _, g := range there {
			names = append(names, g.Group)
		}
	}
	var able, failed []string
	for _, name := range names {
		i := slices.IndexFunc(there, func(g groupItem) bool { return g.Group == name })
		why := ""
		switch {
		case i < 0:
			why = fmt.Sprintf("java.lang.IllegalArgumentException: Group '%s' is not a share group.", name)
		case there[i].State == "Dead":
			why = fmt.Sprintf("java.lang.IllegalStateException: Share group '%s' group state is DEAD.", name)
		case there[i].State != "Empty":
			why = fmt.Sprintf("org.apache.kafka.common.errors.GroupNotEmptyException: Share group '%s' is not EMPTY.", name)
		default:
			able = append(able, name)
			continue
		}
		failed = append(failed, fmt.Sprintf("* Group '%s' could not be deleted due to: %s", name, why))
	}
	return s.deleteNamed(ctx, able, failed)
}

// reset moves the start offsets of a group without members, or one that does not exist yet.
func (s *shareToolRun) reset(ctx context.Context) error {
	name, err := s.o.value("group")
	if err != nil {
		return err
	}
	if err := awaitCoordinator(ctx, s.adm, name); err != nil {
		return err
	}
	found, err := lookAtGroups(ctx, s.cl, []string{name})
	if err != nil {
		return err
	}
	d, err := found.get(name)
	if err == nil && d.Type == shareGroup && d.State != "Empty" && d.State != "Dead" {
		return toolFailure{fmt.Errorf("Share group '%s' is not empty.", name)}
	} else if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return toolFailure{err}
	}
	scope := s.o.all("topic")
	if !s.o.has("topic") {
		committed, err := committedOffsets(ctx, s.adm, groupView{Group: name, Type: shareGroup})
		if err != nil {
			return err
		}
		for tp := range committed {
			scope = append(scope, tp.String())
		}
	}
	place, err := s.place()
	if err != nil {
		return err
	}
	targets, err := s.targets(ctx, scope, place)
	if err != nil {
		return toolText(messageOf(err))
	}
	var plan []resetTo
	offsets := make(kadm.Offsets)
	for _, t := range targets {
		plan = append(plan, resetTo{name, t.topic, t.partition, t.at})
		offsets.AddOffset(t.topic, t.partition, t.at, -1)
	}
	if s.o.has("execute") && len(plan) > 0 {
		answers, err := s.adm.AlterShareGroupOffsets(ctx, name, offsets)
		if err == nil {
			err = answers.Error()
		}
		if err != nil {
			return err
		}
	}
	s.printReset(plan, 1)
	return nil
}

// count is how many of some options were given.
func (o *toolOptions) count(names ...string) (n int) {
	for _, name := range names {
		if o.has(name) {
			n++
		}
	}
	return n
}

// described are share groups, in order. One that is not there fails all.
func (s *shareToolRun) described(ctx context.Context) ([]groupView, error) {
	names := uniq(s.o.all("group"))
	if s.o.has("all-groups") {
		there, err := s.listed(ctx, nil)
		if err != nil {
			return nil, err
		}
		names = nil
		for _, g := range there {
			names = append(names, g.Group)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if err := awaitCoordinator(ctx, s.adm, name); err != nil {
			return nil, err
		}
	}
	found, err := lookAtGroups(ctx, s.cl, names)
	if err != nil {
		return nil, err
	}
	var out []groupView
	for _, name := range names {
		d, err := found.get(name)
		switch {
		case errors.Is(err, kerr.GroupIDNotFound):
			err = javaError{kerr.GroupIDNotFound, "Group " + name + " not found."}
		case err == nil && d.Type != shareGroup:
			err = javaError{kerr.GroupIDNotFound, "Group " + name + " is not a share group."}
		}
		if err != nil {
			return nil, err
		}
		slices.SortFunc(d.Members, func(x, y groupMember) int { return strings.Compare(x.Member, y.Member) })
		out = append(out, d)
	}
	return out, nil
}
