package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// consoleOptions are those that both console consumers have.
var consoleOptions = []toolOption{
	{"bootstrap-server", needsArg, "REQUIRED: the servers to connect to."},
	{"command-config", needsArg, "File of properties for the consumer."},
	{"command-property", needsArg, "KEY=VALUE: a property of the consumer; may be repeated."},
	{"consumer-property", needsArg, "The old name of --command-property."},
	{"enable-systest-events", noArg, "Say when the consumer has shut down."},
	{"formatter", needsArg, "The class that prints records: DefaultMessageFormatter or NoOpMessageFormatter."},
	{"formatter-config", needsArg, "File of properties for the formatter."},
	{"formatter-property", needsArg, "KEY=VALUE: print.timestamp, print.key, print.offset, print.delivery, print.epoch, print.partition, print.headers, print.value, key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer, headers.deserializer."},
	{"key-deserializer", needsArg, "Class that reads keys."},
	{"max-messages", needsArg, "How many records to consume before exiting."},
	{"property", needsArg, "The old name of --formatter-property."},
	{"timeout-ms", needsArg, "Exit if no record comes for so long."},
	{"topic", needsArg, "The topic to consume."},
	{"value-deserializer", needsArg, "Class that reads values."},
}

var consumerToolOptions = append([]toolOption{
	{"consumer.config", needsArg, "The old name of --command-config."},
	{"from-beginning", noArg, "Start with the earliest record if the group committed nothing."},
	{"group", needsArg, "The consumer group."},
	{"include", needsArg, "Regular expression of the topics to consume."},
	{"isolation-level", needsArg, "read_committed or read_uncommitted."},
	{"offset", needsArg, "Offset to start at, or earliest, or latest."},
	{"partition", needsArg, "The partition to consume."},
	{"skip-message-on-error", noArg, "Go on after a record that cannot be printed."},
	{"whitelist", needsArg, "The old name of --include."},
}, consoleOptions...)

// consumerTool is kafka-console-consumer.sh.
func consumerTool(ctx context.Context, a *App, args []string) error {
	return a.runTool(consumerToolOptions, args, "This tool helps to read data from Kafka topics and outputs it to standard output.", func(o *toolOptions) error {
		c, err := newConsumerTool(a, o)
		if err != nil {
			return err
		}
		return c.run(ctx)
	})
}

type consumerToolRun struct {
	a         *App
	o         *toolOptions
	opts      []kgo.Opt
	format    *lineFormatter
	max       int64 // records; -1: no end
	timeoutMs int64 // -1: wait for ever
	count     int64
	// done is called with each record that was printed, or could not be; its error ends the
	// tool. flush is called when there is no more.
	done  func(*kgo.Client, *kgo.Record, error) error
	flush func(context.Context, *kgo.Client) error
}

func newConsumerTool(a *App, o *toolOptions) (*consumerToolRun, error) {
	if !o.has("include") && o.has("whitelist") {
		o.values["include"] = o.values["whitelist"]
	}
	if err := checkConsumerTool(o); err != nil {
		return nil, err
	}
	c := &consumerToolRun{a: a, o: o}
	if err := c.limits("consumer.config"); err != nil {
		return nil, err
	}
	return c, c.configure()
}

// limits settles old names of options, and reads when to end and how records are printed.
func (c *consumerToolRun) limits(oldConfig string) error {
	err := settleNames(c.o, [][2]string{{"command-property", "consumer-property"}, {"command-config", oldConfig}, {"formatter-property", "property"}},
		func(now, old string) {
			fmt.Fprintf(c.a.Stdout, "Option --%s is deprecated and will be removed in a future version. Use --%s instead.\n", old, now)
		})
	if err != nil {
		return err
	}
	if c.max, err = c.o.number("max-messages", 32, -1); err != nil {
		return err
	}
	if c.timeoutMs, err = c.o.number("timeout-ms", 64, -1); err != nil {
		return err
	}
	c.format, err = newLineFormatter(c.a, c.o)
	return err
}

// connect takes the connection from the options, and returns the consumer's properties.
func (c *consumerToolRun) connect(clientID string) (map[string]string, error) {
	if err := c.a.connectTool(c.o, 60_000); err != nil {
		return nil, err
	}
	props, err := c.a.toolProperties(c.a.conn.file, c.o.all("command-property"))
	if err != nil {
		return nil, err
	}
	if props["client.id"] == "" {
		props["client.id"] = clientID
	}
	for k, v := range props {
		c.a.conn.settings = append(c.a.conn.settings, k+"="+v)
	}
	return props, nil
}

func checkConsumerTool(o *toolOptions) error {
	if o.has("topic") == o.has("include") {
		return o.usage("Exactly one of the following arguments is required: [topic], [include]")
	}
	switch {
	case o.has("partition") && !o.has("topic"):
		return o.usage("The topic is required when partition is specified.")
	case o.has("partition") && o.has("from-beginning") && o.has("offset"):
		return o.usage("Options from-beginning and offset cannot be specified together.")
	case !o.has("partition") && o.has("offset"):
		return o.usage("The partition is required when offset is specified.")
	}
	return o.requires("bootstrap-server")
}

// configure turns options and properties into those of the client.
func (c *consumerToolRun) configure() error {
	props, err := c.connect("console-consumer")
	if err != nil {
		return err
	}
	c.done = func(cl *kgo.Client, r *kgo.Record, err error) error {
		if err != nil && !c.o.has("skip-message-on-error") {
			return err
		}
		cl.MarkCommitRecords(r)
		return nil
	}
	group, err := c.group(props)
	if err != nil {
		return err
	}
	start, err := c.start(props)
	if err != nil {
		return err
	}
	isolation, err := c.o.value("isolation-level")
	if err != nil {
		return err
	}
	switch level := firstOf(isolation, props["isolation.level"], "read_uncommitted"); level {
	case "read_committed":
		c.opts = append(c.opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	case "read_uncommitted":
	default:
		return toolFailure{fmt.Errorf("Invalid value %s for configuration isolation.level: String must be one of: read_committed, read_uncommitted", level)}
	}
	if group != "" {
		c.flush = func(ctx context.Context, cl *kgo.Client) error { return cl.CommitMarkedOffsets(ctx) }
		// The assignors that Java's consumers offer, so that both can share a group.
		c.opts = append(c.opts, kgo.ConsumerGroup(group), kgo.AutoCommitMarks(),
			kgo.Balancers(kgo.RangeBalancer(), kgo.CooperativeStickyBalancer()))
		if strings.EqualFold(props["enable.auto.commit"], "false") {
			c.flush = nil
			c.opts = append(c.opts, kgo.DisableAutoCommit())
		}
		if id := props["group.instance.id"]; id != "" {
			c.opts = append(c.opts, kgo.InstanceID(id))
		}
	}
	return c.where(start)
}

// group is the group to join; "" for none. Kafka's tool makes one up then, commits
// nothing and forgets it: nobody can see the difference.
func (c *consumerToolRun) group(props map[string]string) (string, error) {
	flag, err := c.o.value("group")
	if err != nil {
		return "", err
	}
	given := []string{flag}
	if p := props["group.id"]; p != "" && flag != "" && p != flag {
		given = append(given, p)
		slices.Sort(given)
		return "", c.o.usage("The group ids provided in different places (directly using '--group', via '--consumer-property', or via '--consumer.config') do not match. Detected group ids: '%s'", strings.Join(given, "', '"))
	}
	group := firstOf(flag, props["group.id"])
	if group != "" && c.o.has("partition") {
		return "", c.o.usage("Options group and partition cannot be specified together.")
	}
	return group, nil
}

// start is where to begin where nothing was committed.
func (c *consumerToolRun) start(props map[string]string) (kgo.Offset, error) {
	beginning := c.o.has("from-beginning")
	switch reset := props["auto.offset.reset"]; reset {
	case "":
		if beginning {
			return kgo.NewOffset().AtStart(), nil
		}
		return kgo.NewOffset().AtEnd(), nil
	case "earliest":
		return kgo.NewOffset().AtStart(), nil
	case "latest", "none":
		if beginning {
			return kgo.Offset{}, toolFailure{fmt.Errorf("Can't simultaneously specify --from-beginning and 'auto.offset.reset=%s', please remove one option", reset)}
		}
		if reset == "none" {
			return kgo.NoResetOffset(), nil
		}
		return kgo.NewOffset().AtEnd(), nil
	default:
		return kgo.Offset{}, toolFailure{fmt.Errorf("Invalid value %s for configuration auto.offset.reset", reset)}
	}
}

// where chooses topics, partition and offset.
func (c *consumerToolRun) where(start kgo.Offset) error {
	topic, err := c.o.value("topic")
	if err != nil {
		return err
	}
	c.opts = append(c.opts, kgo.ConsumeResetOffset(start))
	if c.o.has("include") {
		pattern, err := c.o.value("include")
		if err != nil {
			return err
		}
		if _, err := wholeNames([]string{pattern}); err != nil {
			return toolFailure{err}
		}
		c.opts = append(c.opts, kgo.ConsumeRegex(), kgo.ConsumeTopics("^(?:"+pattern+")$"))
		return nil
	}
	if !c.o.has("partition") {
		c.opts = append(c.opts, kgo.ConsumeTopics(topic))
		return nil
	}
	partition, err := c.o.number("partition", 32, 0)
	if err != nil {
		return err
	}
	at, err := c.offset()
	if err != nil {
		return err
	}
	c.opts = append(c.opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {int32(partition): at}}))
	return nil
}

func (c *consumerToolRun) offset() (kgo.Offset, error) {
	text, err := c.o.value("offset")
	if err != nil {
		return kgo.Offset{}, err
	}
	switch word := strings.ToLower(text); {
	case word == "earliest", word == "" && c.o.has("from-beginning"):
		return kgo.NewOffset().AtStart(), nil
	case word == "latest", word == "":
		return kgo.NewOffset().AtEnd(), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return kgo.Offset{}, c.o.usage("The provided offset value '%s' is incorrect. Valid values are 'earliest', 'latest', or a non-negative long.", text)
	}
	return kgo.NewOffset().At(n), nil
}

// run prints records until there were enough, or none came for too long.
func (c *consumerToolRun) run(ctx context.Context) error {
	cl, err := c.a.client(c.opts...)
	if err != nil {
		return toolFailure{err}
	}
	out := bufio.NewWriterSize(c.a.Stdout, 64<<10)
	err = c.consume(ctx, cl, out)
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	if c.flush != nil {
		if cerr := c.flush(context.WithoutCancel(ctx), cl); cerr != nil && err == nil {
			err = toolFailure{cerr}
		}
	}
	cl.Close()
	c.a.warn("Processed a total of %d messages", c.count)
	if c.o.has("enable-systest-events") {
		fmt.Fprintln(c.a.Stdout, "shutdown_complete")
	}
	return err
}

func (c *consumerToolRun) consume(ctx context.Context, cl *kgo.Client, out *bufio.Writer) error {
	for c.max < 0 || c.count < c.max {
		want := 10_000
		if c.max >= 0 {
			want = int(min(int64(want), c.max-c.count))
		}
		fetches, err := c.poll(ctx, cl, want)
		if err != nil || fetches.Empty() {
			return err
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			r := iter.Next()
			c.count++
			if err := c.done(cl, r, c.format.write(out, r)); err != nil {
				return toolFailure{err}
			}
		}
		if err := out.Flush(); err != nil {
			c.a.warn("Unable to write to standard out, closing consumer.")
			return nil
		}
	}
	return nil
}

// poll waits for records, at most --timeout-ms; none means that the time is over.
func (c *consumerToolRun) poll(ctx context.Context, cl *kgo.Client, want int) (kgo.Fetches, error) {
	waiting := ctx
	if c.timeoutMs >= 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, millisDuration(c.timeoutMs))
		defer cancel()
	}
	for {
		fetches := cl.PollRecords(waiting, want)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				c.a.warn("WARN %s-%d: %s", e.Topic, e.Partition, messageOf(e.Err))
			}
		}
		if fetches.NumRecords() > 0 {
			return fetches, nil
		}
		if waiting.Err() != nil {
			return nil, nil
		}
	}
}
