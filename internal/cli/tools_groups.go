package cli

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

var groupsToolOptions = []toolOption{
	{"all-groups", noArg, "Apply to all consumer groups."},
	{"all-topics", noArg, "Consider all topics of a group when resetting offsets."},
	{"bootstrap-server", needsArg, "REQUIRED: the server(s) to connect to."},
	{"by-duration", needsArg, "Reset offsets to so long before now: PnDTnHnMnS."},
	{"command-config", needsArg, "File of properties for the client."},
	{"delete", noArg, "Delete groups."},
	{"delete-offsets", noArg, "Delete offsets of a group for topics."},
	{"describe", noArg, "Describe groups and list their lag."},
	{"dry-run", noArg, "Only show what would be reset."},
	{"execute", noArg, "Do what was asked: reset offsets."},
	{"export", noArg, "Print the offsets that would be reset as CSV."},
	{"from-file", needsArg, "Reset offsets to those in a CSV file."},
	{"group", needsArg, "The group; may be repeated."},
	{"list", noArg, "List all consumer groups."},
	{"members", noArg, "With --describe: the members."},
	{"offsets", noArg, "With --describe: offsets and lag; the default."},
	{"reset-offsets", noArg, "Reset offsets of groups without members."},
	{"shift-by", needsArg, "Reset offsets by so many, forward or back."},
	{"state", mayHaveArg, "With --describe: the state. With --list: states, or only groups in some."},
	{"timeout", needsArg, "How long to wait, in ms."},
	{"to-current", noArg, "Reset offsets to the current ones."},
	{"to-datetime", needsArg, "Reset offsets to a time: YYYY-MM-DDThh:mm:ss.sss."},
	{"to-earliest", noArg, "Reset offsets to the earliest."},
	{"to-latest", noArg, "Reset offsets to the latest."},
	{"to-offset", needsArg, "Reset offsets to this one."},
	{"topic", needsArg, "A topic, or TOPIC:0,1,2; may be repeated."},
	{"type", mayHaveArg, "With --list: types, or only groups of some."},
	{"validate-regex", needsArg, "Say whether a regular expression is valid."},
	{"verbose", noArg, "Say more when describing."},
}

// resetScenarios are the ways to say where offsets shall be reset to.
var resetScenarios = []string{"to-offset", "shift-by", "to-datetime", "by-duration", "to-earliest", "to-latest", "to-current", "from-file"}

// groupsTool is kafka-consumer-groups.sh.
func groupsTool(ctx context.Context, a *App, args []string) error {
	purpose := "This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or reset consumer group offsets."
	return a.runTool(groupsToolOptions, args, purpose, func(o *toolOptions) error {
		if o.has("validate-regex") {
			return validateRegex(a, o)
		}
		if err := checkGroupsTool(a, o); err != nil {
			return err
		}
		return a.withTool(ctx, o, "timeout", func(ctx context.Context, cl *kgo.Client) error {
			g := &groupsToolRun{a: a, o: o, cl: cl, adm: kadm.NewClient(cl), tool: "consumer group", title: "Consumer group"}
			return g.run(ctx)
		})
	})
}

func validateRegex(a *App, o *toolOptions) error {
	text, err := o.value("validate-regex")
	if err != nil {
		return err
	}
	if _, err := wholeNames([]string{text}); err != nil {
		_, why, _ := strings.Cut(err.Error(), "is no regular expression: ")
		_, err = fmt.Fprintf(a.Stdout, "The regular expression `%s` is invalid: %s.\n", text, why)
		return err
	}
	_, err = fmt.Fprintf(a.Stdout, "The regular expression `%s` is valid.\n", text)
	return err
}

func checkGroupsTool(a *App, o *toolOptions) error {
	if err := o.requires("bootstrap-server"); err != nil {
		return err
	}
	for _, action := range []string{"describe", "delete", "reset-offsets"} {
		if o.has(action) && !o.has("group") && !o.has("all-groups") {
			return o.usage("Option [%s] takes one of these options: [group], [all-groups]", action)
		}
	}
	part := 0
	for _, p := range []string{"members", "offsets", "state"} {
		if o.has(p) {
			part++
		}
	}
	switch {
	case o.has("describe") && part > 1:
		return o.usage("Option [describe] takes at most one of these options: [members], [offsets], [state]")
	case o.has("describe") && len(o.all("state")) > 0:
		return o.usage("Option [describe] does not take a value for [state]")
	case o.has("delete") && o.has("topic"):
		return o.usage("The consumer does not support topic-specific offset deletion from a consumer group.")
	case o.has("delete-offsets") && (!o.has("group") || !o.has("topic")):
		return o.usage("Option [delete-offsets] takes the following options: [group], [topic]")
	}
	if err := checkReset(a, o); err != nil {
		return err
	}
	if err := o.excludes("group", "all-groups", "list"); err != nil {
		return err
	}
	if err := o.excludes("topic", "list", "describe"); err != nil {
		return err
	}
	actions := 0
	for _, action := range []string{"list", "describe", "delete", "reset-offsets", "delete-offsets"} {
		if o.has(action) {
			actions++
		}
	}
	if actions != 1 {
		return o.usage("Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets, --validate-regex")
	}
	return nil
}

func checkReset(a *App, o *toolOptions) error {
	if !o.has("reset-offsets") {
		return nil
	}
	if o.has("dry-run") && o.has("execute") {
		return o.usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]")
	}
	if !o.has("dry-run") && !o.has("execute") {
		a.warn("WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if you are scripting this command and want to keep the current default behavior without prompting.")
	}
	for i, s := range resetScenarios {
		if err := o.excludes(s, resetScenarios[i+1:]...); err != nil {
			return err
		}
	}
	return nil
}

// groupsToolRun is a run of kafka-consumer-groups.sh or kafka-share-groups.sh.
type groupsToolRun struct {
	a     *App
	o     *toolOptions
	cl    *kgo.Client
	adm   *kadm.Client
	tool  string // "consumer group"
	title string // "Consumer group"
}

func (g *groupsToolRun) run(ctx context.Context) error {
	var err error
	switch {
	case g.o.has("list"):
		err = g.list(ctx)
	case g.o.has("describe"):
		err = g.describe(ctx)
	case g.o.has("delete"):
		err = g.delete(ctx)
	case g.o.has("reset-offsets"):
		err = g.reset(ctx)
	default:
		err = g.deleteOffsets(ctx)
	}
	return g.told(err)
}

// told prints what failed as Kafka's tools do, unless that was done or the command line is
// wrong.
func (g *groupsToolRun) told(err error) error {
	_, usage := errors.AsType[*toolUsage](err)
	if _, worded := errors.AsType[toolFailure](err); err == nil || usage || worded || errors.Is(err, errSilent) {
		return err
	}
	g.failed("Executing " + g.tool + " command failed due to " + javaText(err, ""))
	return &codedError{errSilent, exitFailed}
}

// failed prints an error where Kafka's tool does, on standard output.
func (g *groupsToolRun) failed(message string) {
	fmt.Fprintf(g.a.Stdout, "\nError: %s\n", message)
}

// groups are those that --group or --all-groups name.
func (g *groupsToolRun) groups(ctx context.Context) ([]string, error) {
	var names []string
	if !g.o.has("all-groups") {
		names = uniq(g.o.all("group"))
	} else {
		listed, err := g.listed(ctx, nil)
		if err != nil {
			return nil, err
		}
		for _, l := range listed {
			names = append(names, l.Group)
		}
	}
	for _, name := range names {
		if err := awaitCoordinator(ctx, g.adm, name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// listed are the groups of consumers, by name.
func (g *groupsToolRun) listed(ctx context.Context, states []string) ([]groupItem, error) {
	return g.listedAs(ctx, states, []string{classicGroup, consumerGroup}, "", "consumer")
}

// listedAs are the groups of some types and protocols. A broker that does not answer fails
// all.
func (g *groupsToolRun) listedAs(ctx context.Context, states, types []string, protocols ...string) ([]groupItem, error) {
	l := &listing{}
	groups, err := listGroups(ctx, g.cl, types, states, l)
	if err == nil && len(l.errs) > 0 {
		err = l.errs[0].err
	}
	return slices.DeleteFunc(groups, func(i groupItem) bool { return !slices.Contains(protocols, i.Protocol) }), err
}

// typeName is a type of groups as Kafka's tools write it: Classic.
func typeName(kind string) string {
	if kind == "" {
		return kind
	}
	return strings.ToUpper(kind[:1]) + kind[1:]
}

var toolStates = []string{"Assigning", "CompletingRebalance", "Dead", "Empty", "PreparingRebalance", "Reconciling", "Stable"}

func (g *groupsToolRun) list(ctx context.Context) error {
	kinds, err := g.words("type", []string{"Classic", "Consumer"}, "Invalid types list '%s'. Valid types are: %s")
	if err != nil {
		return err
	}
	states, err := g.words("state", toolStates, "Invalid state list '%s'. Valid states are: %s")
	if err != nil {
		return err
	}
	groups, err := g.listed(ctx, states)
	if err != nil {
		return err
	}
	if len(kinds) > 0 {
		groups = slices.DeleteFunc(groups, func(t groupItem) bool { return !slices.Contains(kinds, typeName(t.Type)) })
	}
	if !g.o.has("type") && !g.o.has("state") {
		for _, t := range groups {
			fmt.Fprintln(g.a.Stdout, t.Group)
		}
		return nil
	}
	g.listTable(groups)
	return nil
}

// words reads a list of words without regard to case; none for no list.
func (g *groupsToolRun) words(option string, valid []string, complaint string) ([]string, error) {
	text, err := g.o.value(option)
	if err != nil || text == "" {
		return nil, err
	}
	var out []string
	for _, word := range strings.Split(text, ",") {
		i := slices.IndexFunc(valid, func(v string) bool { return strings.EqualFold(v, strings.TrimSpace(word)) })
		if i < 0 {
			return nil, g.o.usage(complaint, text, strings.Join(valid, ", "))
		}
		out = append(out, valid[i])
	}
	return out, nil
}

func (g *groupsToolRun) listTable(groups []groupItem) {
	width := 15
	for _, t := range groups {
		width = max(width, len(t.Group))
	}
	line := func(group, kind, state string) {
		fmt.Fprintf(g.a.Stdout, "%-*s", width+10, group)
		if g.o.has("type") {
			fmt.Fprintf(g.a.Stdout, " %-20s", kind)
		}
		if g.o.has("state") {
			fmt.Fprintf(g.a.Stdout, " %-20s", state)
		}
		fmt.Fprintln(g.a.Stdout)
	}
	line("GROUP", "TYPE", "STATE")
	for _, t := range groups {
		line(t.Group, typeName(t.Type), t.State)
	}
}

func (g *groupsToolRun) delete(ctx context.Context) error {
	names, err := g.groups(ctx)
	if err != nil {
		return err
	}
	return g.deleteNamed(ctx, names, nil)
}

// deleteNamed deletes groups but those that are refused already, and tells what became of
// all.
func (g *groupsToolRun) deleteNamed(ctx context.Context, names, failed []string) error {
	var answers kadm.DeleteGroupResponses
	if len(names) > 0 {
		var err error
		if answers, err = g.adm.DeleteGroups(ctx, names...); err != nil {
			return err
		}
	}
	var deleted []string
	for _, name := range names {
		r, ok := answers[name]
		switch {
		case !ok:
			failed = append(failed, fmt.Sprintf("* Group '%s' could not be deleted due to: %s", name, javaText(kerr.UnknownServerError, "")))
		case r.Err != nil:
			failed = append(failed, fmt.Sprintf("* Group '%s' could not be deleted due to: %s", name, javaText(r.Err, r.ErrMessage)))
		default:
			deleted = append(deleted, "'"+name+"'")
		}
	}
	if len(failed) == 0 {
		fmt.Fprintf(g.a.Stdout, "Deletion of requested %ss (%s) was successful.\n", g.tool, strings.Join(deleted, ", "))
		return nil
	}
	g.failed("Deletion of some " + g.tool + "s failed:")
	fmt.Fprintln(g.a.Stdout, strings.Join(failed, "\n"))
	if len(deleted) > 0 {
		fmt.Fprintf(g.a.Stdout, "\nThese %ss were deleted successfully: %s\n", g.tool, strings.Join(deleted, ", "))
	}
	return &codedError{errSilent, exitFailed}
}
