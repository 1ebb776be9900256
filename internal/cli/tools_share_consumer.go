package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { tools["kafka-console-share-consumer"] = shareConsumerTool }

var shareConsumerToolOptions = append([]toolOption{
	{"consumer-config", needsArg, "The old name of --command-config."},
	{"group", needsArg, "The share group; console-share-consumer if it is not given."},
	{"reject", noArg, "Reject records as they are consumed."},
	{"reject-message-on-error", noArg, "Reject a record that cannot be printed, and go on."},
	{"release", noArg, "Release records as they are consumed."},
}, consoleOptions...)

// shareConsumerTool is kafka-console-share-consumer.sh.
func shareConsumerTool(ctx context.Context, a *App, args []string) error {
	purpose := "This tool helps to read data from Kafka topics using share groups and outputs it to standard output."
	return a.runTool(shareConsumerToolOptions, args, purpose, func(o *toolOptions) error {
		c, err := newShareConsumerTool(a, o)
		if err != nil {
			return err
		}
		return c.run(ctx)
	})
}

func newShareConsumerTool(a *App, o *toolOptions) (*consumerToolRun, error) {
	switch {
	case !o.has("topic"):
		return nil, o.usage("--topic is a required argument")
	case o.has("reject") && o.has("release"):
		return nil, o.usage("At most one of --reject and --release may be specified.")
	}
	if err := o.requires("bootstrap-server"); err != nil {
		return nil, err
	}
	c := &consumerToolRun{a: a, o: o}
	if err := c.limits("consumer-config"); err != nil {
		return nil, err
	}
	props, err := c.connect("console-share-consumer")
	if err != nil {
		return nil, err
	}
	group, err := shareGroupOf(o, props)
	if err != nil {
		return nil, err
	}
	topic, err := o.value("topic")
	if err != nil {
		return nil, err
	}
	answer := kgo.AckAccept
	switch {
	case o.has("reject"):
		answer = kgo.AckReject
	case o.has("release"):
		answer = kgo.AckRelease
	}
	// What was handed out and not printed is released when the client closes.
	c.opts = append(c.opts, kgo.ShareGroup(group), kgo.ConsumeTopics(topic))
	c.done = func(cl *kgo.Client, r *kgo.Record, err error) error {
		switch {
		case err == nil:
			cl.MarkAcks(answer, r)
		case o.has("reject-message-on-error"):
			cl.MarkAcks(kgo.AckReject, r)
		default:
			return err
		}
		return nil
	}
	c.flush = func(ctx context.Context, cl *kgo.Client) error { return cl.FlushAcks(ctx) }
	return c, nil
}

// shareGroupOf is the group that is named, in one place or several that agree.
func shareGroupOf(o *toolOptions, props map[string]string) (string, error) {
	flag, err := o.value("group")
	if err != nil {
		return "", err
	}
	if p := props["group.id"]; p != "" && flag != "" && p != flag {
		given := []string{flag, p}
		slices.Sort(given)
		return "", o.usage("The group ids provided in different places (directly using '--group', via '--consumer-property', or via '--consumer-config') do not match. Detected group ids: '%s'", strings.Join(given, "', '"))
	}
	return firstOf(flag, props["group.id"], "console-share-consumer"), nil
}
