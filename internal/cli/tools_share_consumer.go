package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { tools["kafka-console-share-consumer"] = shareConsumerTool }

var shareConsumerToolOptions = []toolOption{
	{"bootstrap-server", needsArg, "REQUIRED: The server(s) to connect to."},
	{"command-config", needsArg, "File of properties for the consumer."},
	{"command-property", needsArg, "KEY=VALUE: a property of the consumer; may be repeated."},
	{"consumer-config", needsArg, "The old name of --command-config."},
	{"consumer-property", needsArg, "The old name of --command-property."},
	{"enable-systest-events", noArg, "Say when the consumer has shut down."},
	{"formatter", needsArg, "The class that prints records: DefaultMessageFormatter or NoOpMessageFormatter."},
	{"formatter-config", needsArg, "File of properties for the formatter."},
	{"formatter-property", needsArg, "KEY=VALUE: print.timestamp, print.key, print.offset, print.delivery, print.epoch, print.partition, print.headers, print.value, key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer, headers.deserializer."},
	{"group", needsArg, "The share group; console-share-consumer if it is not given."},
	{"key-deserializer", needsArg, "Class that reads keys."},
	{"max-messages", needsArg, "How many records to consume before exiting."},
	{"property", needsArg, "The old name of --formatter-property."},
	{"reject", noArg, "Reject records as they are consumed."},
	{"reject-message-on-error", noArg, "Reject a record that cannot be printed, and go on."},
	{"release", noArg, "Release records as they are consumed."},
	{"timeout-ms", needsArg, "Exit if no record comes for so long."},
	{"topic", needsArg, "REQUIRED: The topic to consume from."},
	{"value-deserializer", needsArg, "Class that reads values."},
}

// shareConsumerTool is kafka-console-share-consumer.sh.
func shareConsumerTool(ctx context.Context, a *App, args []string) error {
	o, err := parseTool(shareConsumerToolOptions, args)
	if err != nil {
		return a.finish(err)
	}
	if done, err := o.begin(a, args, "This tool helps to read data from Kafka topics using share groups and outputs it to standard output."); done {
		return a.finish(err)
	}
	c, err := newShareConsumerTool(a, o)
	if err != nil {
		return a.finish(err)
	}
	return a.finish(c.run(ctx))
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
	err := settleNames(o, [][2]string{{"command-property", "consumer-property"}, {"command-config", "consumer-config"}, {"formatter-property", "property"}},
		func(now, old string) {
			fmt.Fprintf(a.Stdout, "Option --%s is deprecated and will be removed in a future version. Use --%s instead.\n", old, now)
		})
	if err != nil {
		return nil, err
	}
	c := &consumerToolRun{a: a, o: o}
	if err := c.limits(); err != nil {
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
