package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() { tools["kafka-verifiable-consumer"] = verifiableConsumerTool }

// assignorClass is the folder of Java's assignors.
const assignorClass = "org.apache.kafka.clients.consumer."

var verifiableConsumerArgs = &argTool{
	name:    "verifiable-consumer",
	purpose: "This tool consumes messages from a specific topic and emits consumer events (e.g. group rebalances, received messages, and offsets committed) as JSON objects to STDOUT.",
	options: []argOption{
		bootstrapArg,
		{names: []string{"--topic"}, metavar: "TOPIC", required: true, help: "Consumes messages from this topic."},
		{names: []string{"--group-protocol"}, metavar: "GROUP-PROTOCOL", def: "classic", help: "Group protocol: classic or consumer."},
		{names: []string{"--group-remote-assignor"}, metavar: "GROUP-REMOTE-ASSIGNOR", help: "The assignor that the group's coordinator shall use; only with the protocol consumer. The one that the cluster prefers is used."},
		{names: []string{"--group-id"}, metavar: "GROUP-ID", required: true, help: "The group id of the consumer group"},
		{names: []string{"--group-instance-id"}, metavar: "GROUP-INSTANCE-ID", help: "A unique identifier of the consumer instance"},
		{names: []string{"--max-messages"}, metavar: "MAX-MESSAGES", kind: smallNumber, def: "-1", help: "Consume this many messages; -1: until the process is ended."},
		{names: []string{"--session-timeout"}, metavar: "TIMEOUT-MS", kind: smallNumber, help: "The consumer's session time-out; only with the protocol classic."},
		{names: []string{"--verbose"}, help: "Print each record."},
		{names: []string{"--enable-autocommit"}, help: "Commit by itself, and tell nothing of it."},
		{names: []string{"--reset-policy"}, metavar: "RESET-POLICY", def: "earliest", help: "Where to begin if nothing was committed: earliest, latest or none."},
		{names: []string{"--assignment-strategy"}, metavar: "ASSIGNMENT-STRATEGY", def: assignorClass + "RangeAssignor", help: "The assignor; only with the protocol classic."},
		{names: []string{"--consumer.config"}, metavar: "CONFIG-FILE", help: "The old name of --command-config."},
		{names: []string{"--command-config"}, metavar: "CONFIG-FILE", help: "File of properties for the consumer."},
	},
}

// balancers are Java's assignors.
var balancers = map[string]func() kgo.GroupBalancer{
	assignorClass + "RangeAssignor":             kgo.RangeBalancer,
	assignorClass + "RoundRobinAssignor":        kgo.RoundRobinBalancer,
	assignorClass + "StickyAssignor":            kgo.StickyBalancer,
	assignorClass + "CooperativeStickyAssignor": kgo.CooperativeStickyBalancer,
}

// verifiableConsumerTool is kafka-verifiable-consumer.sh.
func verifiableConsumerTool(ctx context.Context, a *App, args []string) error {
	return verifiableConsumerArgs.run(a, args, func(v *argValues) error {
		c := &verifiableConsumer{eventLog: newEventLog(a), v: v, most: v.number("max-messages", -1), commits: !v.has("enable-autocommit")}
		opts, err := c.options(a)
		if err != nil {
			return err
		}
		if c.cl, err = a.client(opts...); err != nil {
			return toolFailure{err}
		}
		return c.run(ctx)
	})
}

type verifiableConsumer struct {
	*eventLog
	cl      *kgo.Client
	v       *argValues
	most    int64 // records; -1: no end
	read    int64
	commits bool // after each poll
}

// namedPartition is a partition as these events have it.
type namedPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

type partitionsEvent struct {
	event
	Partitions []namedPartition `json:"partitions"`
}

type recordData struct {
	event
	Key       *string `json:"key"`
	Value     *string `json:"value"`
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Offset    int64   `json:"offset"`
}

type recordsConsumed struct {
	event
	Count      int64           `json:"count"`
	Partitions []consumedRange `json:"partitions"`
}

type consumedRange struct {
	namedPartition
	Count     int64 `json:"count"`
	MinOffset int64 `json:"minOffset"`
	MaxOffset int64 `json:"maxOffset"`
}

type offsetsCommitted struct {
	event
	Offsets []committedAt `json:"offsets"`
	Error   string        `json:"error,omitempty"`
	Success bool          `json:"success"`
}

type committedAt struct {
	namedPartition
	Offset int64 `json:"offset"`
}

func (c *verifiableConsumer) options(a *App) ([]kgo.Opt, error) {
	v := c.v
	file, err := configFile(verifiableConsumerArgs, v, "consumer.config", func(s string) { fmt.Fprintln(a.Stdout, s) })
	if err != nil {
		return nil, err
	}
	a.conn.brokers, a.conn.file, a.conn.timeout = v.text("bootstrap-server"), file, time.Minute
	props, err := a.toolProperties(file, nil)
	if err != nil {
		return nil, err
	}
	opts := []kgo.Opt{kgo.ConsumerGroup(v.text("group-id")), kgo.ConsumeTopics(v.text("topic")), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
			c.moved("partitions_assigned", parts)
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { c.moved("partitions_revoked", parts) })}
	switch protocol := strings.ToLower(v.text("group-protocol")); protocol {
	case "consumer":
		opts = append(opts, kgo.ServerSideBalancer())
	case "classic":
		var chosen []kgo.GroupBalancer
		for _, name := range strings.Split(v.text("assignment-strategy"), ",") {
			make, ok := balancers[strings.TrimSpace(name)]
			if !ok {
				return nil, toolFailure{fmt.Errorf("%s is a Java class and cannot be loaded here", name)}
			}
			chosen = append(chosen, make())
		}
		opts = append(opts, kgo.Balancers(chosen...))
		if v.has("session-timeout") {
			opts = append(opts, kgo.SessionTimeout(millisDuration(v.number("session-timeout", 0))))
		}
	default:
		return nil, toolFailure{fmt.Errorf("No enum constant org.apache.kafka.clients.consumer.GroupProtocol.%s", strings.ToUpper(protocol))}
	}
	switch policy := v.text("reset-policy"); policy {
	case "earliest":
		opts = append(opts, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	case "latest":
		opts = append(opts, kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
	case "none":
		opts = append(opts, kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	default:
		return nil, toolFailure{fmt.Errorf("Invalid value %s for configuration auto.offset.reset", policy)}
	}
	if c.commits {
		opts = append(opts, kgo.DisableAutoCommit())
	}
	if v.has("group-instance-id") {
		opts = append(opts, kgo.InstanceID(v.text("group-instance-id")))
	}
	if props["isolation.level"] == "read_committed" {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	return opts, nil
}

// moved tells which partitions came or went.
func (c *verifiableConsumer) moved(name string, parts map[string][]int32) {
	e := partitionsEvent{eventNow(name), []namedPartition{}}
	for topic, list := range parts {
		for _, p := range list {
			e.Partitions = append(e.Partitions, namedPartition{topic, p})
		}
	}
	slices.SortFunc(e.Partitions, func(x, y namedPartition) int {
		return comparePartitions(x.Topic, x.Partition, y.Topic, y.Partition)
	})
	c.print(e)
}

// polled is how many records Java's consumer hands out at once.
const polled = 500

func (c *verifiableConsumer) run(ctx context.Context) error {
	c.print(eventNow("startup_complete"))
	var failed error
	for failed == nil && ctx.Err() == nil && (c.most < 0 || c.read < c.most) {
		fetches := c.cl.PollRecords(ctx, polled)
		failed = fatal(fetches)
		if fetches.NumRecords() > 0 {
			offsets := c.received(fetches)
			if c.commits && len(offsets) > 0 {
				c.commit(context.WithoutCancel(ctx), offsets)
			}
		}
		c.cl.AllowRebalance()
	}
	if ctx.Err() != nil {
		c.print(eventNow("shutdown_requested"))
	}
	if !c.commits {
		_ = c.cl.CommitUncommittedOffsets(context.WithoutCancel(ctx)) // as Java's consumer tries to when it is closed
	}
	c.cl.CloseAllowingRebalance()
	c.print(eventNow("shutdown_complete"))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failed != nil {
		return toolFailure{failed}
	}
	c.print(eventNow("shutdown_requested")) // Java's hook comes after all else
	return nil
}

// fatal is an error of a poll after which the consumer cannot go on.
func fatal(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if errors.Is(e.Err, kgo.ErrClientClosed) || e.Topic == "" && !errors.Is(e.Err, context.Canceled) {
			return e.Err
		}
		if _, lost := errors.AsType[*kgo.ErrDataLoss](e.Err); !lost && !errors.Is(e.Err, context.Canceled) {
			return e.Err
		}
	}
	return nil
}

// received tells what a poll brought and returns where each partition goes on.
func (c *verifiableConsumer) received(fetches kgo.Fetches) map[string]map[int32]kgo.EpochOffset {
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	e := recordsConsumed{event: eventNow("records_consumed"), Count: int64(fetches.NumRecords()), Partitions: []consumedRange{}}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		records := p.Records
		if c.most >= 0 {
			records = records[:min(int64(len(records)), c.most-c.read)]
		}
		if len(records) == 0 {
			return
		}
		first, last := records[0], records[len(records)-1]
		if offsets[p.Topic] == nil {
			offsets[p.Topic] = make(map[int32]kgo.EpochOffset)
		}
		offsets[p.Topic][p.Partition] = kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}
		e.Partitions = append(e.Partitions, consumedRange{namedPartition{p.Topic, p.Partition}, int64(len(records)), first.Offset, last.Offset})
		c.read += int64(len(records))
		if c.v.has("verbose") {
			for _, r := range records {
				c.print(recordData{eventNow("record_data"), textOf(r.Key), textOf(r.Value), r.Topic, r.Partition, r.Offset})
			}
		}
	})
	c.print(e)
	return offsets
}

// textOf is a key or value as text, nil for none.
func textOf(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

func (c *verifiableConsumer) commit(ctx context.Context, offsets map[string]map[int32]kgo.EpochOffset) {
	var failed error
	c.cl.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		failed = err
		if err == nil {
			failed = firstCommitError(resp)
		}
	})
	e := offsetsCommitted{event: eventNow("offsets_committed"), Offsets: []committedAt{}, Success: failed == nil}
	if failed != nil {
		e.Error = messageOf(failed)
	}
	for topic, parts := range offsets {
		for p, o := range parts {
			e.Offsets = append(e.Offsets, committedAt{namedPartition{topic, p}, o.Offset})
		}
	}
	slices.SortFunc(e.Offsets, func(x, y committedAt) int { return comparePartitions(x.Topic, x.Partition, y.Topic, y.Partition) })
	c.print(e)
}

func firstCommitError(resp *kmsg.OffsetCommitResponse) error {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}
