package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { tools["kafka-groups"] = allGroupsTool }

var allGroupsToolOptions = []toolOption{
	{"bootstrap-server", needsArg, "REQUIRED: The Kafka server to connect to."},
	{"command-config", needsArg, "File of properties for the client."},
	{"consumer", noArg, "Only groups of consumers: of type consumer, and of type classic with the protocol consumer or none."},
	{"group-type", needsArg, "Only groups of this type: classic, consumer, share, streams."},
	{"list", noArg, "List the groups."},
	{"protocol", needsArg, "Only groups of this protocol."},
	{"share", noArg, "Only share groups."},
	{"streams", noArg, "Only streams groups."},
}

// allGroupsTool is kafka-groups.sh.
func allGroupsTool(ctx context.Context, a *App, args []string) error {
	return a.runTool(allGroupsToolOptions, args, "This tool helps to list groups of all types.", func(o *toolOptions) error {
		if err := checkAllGroupsTool(o); err != nil {
			return err
		}
		err := a.withTool(ctx, o, "", func(ctx context.Context, cl *kgo.Client) error { return listAllGroups(ctx, a, o, cl) })
		if err != nil {
			fmt.Fprintf(a.Stdout, "Error while executing groups command : %s\n", messageOf(err))
			err = &codedError{errSilent, exitFailed}
		}
		return err
	})
}

func checkAllGroupsTool(o *toolOptions) error {
	if err := o.requires("bootstrap-server"); err != nil {
		return err
	}
	if !o.has("list") {
		return o.usage("Command must include exactly one action: --list.")
	}
	if o.has("group-type") {
		kind, err := o.value("group-type")
		if err != nil {
			return err
		}
		switch strings.ToLower(kind) {
		case classicGroup, consumerGroup, shareGroup, streamsGroup:
		default:
			return toolFailure{errors.New("--group-type must be a valid group type.")}
		}
	}
	for _, one := range []struct {
		used   string
		others []string
	}{
		{"consumer", []string{"group-type", "protocol", "share", "streams"}},
		{"share", []string{"consumer", "group-type", "protocol", "streams"}},
		{"streams", []string{"consumer", "group-type", "protocol", "share"}},
	} {
		if err := o.excludes(one.used, one.others...); err != nil {
			return err
		}
	}
	return nil
}

func listAllGroups(ctx context.Context, a *App, o *toolOptions, cl *kgo.Client) error {
	kind, err := o.value("group-type")
	if err != nil {
		return err
	}
	protocol, err := o.value("protocol")
	if err != nil {
		return err
	}
	l := &listing{}
	groups, err := listGroups(ctx, cl, nil, nil, l)
	if err != nil {
		return err
	}
	if len(l.errs) > 0 {
		return l.errs[0].err
	}
	wanted := func(g groupItem) bool {
		switch {
		case kind != "" && g.Type != strings.ToLower(kind), o.has("protocol") && g.Protocol != protocol:
			return false
		case o.has("consumer"):
			return g.Protocol == "consumer" || g.Protocol == "" || g.Type == consumerGroup
		case o.has("share"):
			return g.Type == shareGroup
		case o.has("streams"):
			return g.Type == streamsGroup
		}
		return true
	}
	width := 20
	var shown []groupItem
	for _, g := range groups {
		if wanted(g) {
			shown = append(shown, g)
			width = max(width, len(g.Group), len(g.Protocol))
		}
	}
	fmt.Fprintf(a.Stdout, "%-*s %-*s %-*s\n", width, "GROUP", width, "TYPE", width, "PROTOCOL")
	for _, g := range shown {
		fmt.Fprintf(a.Stdout, "%-*s %-*s %-*s \n", width, g.Group, width, typeName(g.Type), width, g.Protocol)
	}
	return nil
}
