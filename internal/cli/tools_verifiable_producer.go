package cli

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { tools["kafka-verifiable-producer"] = verifiableProducerTool }

var verifiableProducerArgs = &argTool{
	name:    "verifiable-producer",
	purpose: "This tool produces increasing integers to the specified topic and prints JSON metadata to stdout on each \"send\" request, making externally visible which messages have been acked and which have not.",
	options: []argOption{
		{names: []string{"--topic"}, metavar: "TOPIC", required: true, help: "Produce messages to this topic."},
		bootstrapArg,
		{names: []string{"--max-messages"}, metavar: "MAX-MESSAGES", kind: smallNumber, def: "-1", help: "Produce this many messages; -1: until the process is ended."},
		{names: []string{"--throughput"}, metavar: "THROUGHPUT", kind: smallNumber, def: "-1", help: "At most about so many messages a second; -1: as many as can be."},
		{names: []string{"--acks"}, metavar: "ACKS", kind: smallNumber, def: "-1", choices: []string{"0", "1", "-1"}, help: "Acks required on each produced message."},
		{names: []string{"--producer.config"}, metavar: "CONFIG-FILE", help: "The old name of --command-config."},
		{names: []string{"--message-create-time"}, metavar: "CREATE-TIME", kind: bigNumber, def: "-1", help: "The time at which messages were created begins here, in milliseconds since 1970."},
		{names: []string{"--value-prefix"}, metavar: "VALUE-PREFIX", kind: smallNumber, help: "Each value has this prefix and a dot."},
		{names: []string{"--repeating-keys"}, metavar: "REPEATING-KEYS", kind: smallNumber, help: "Messages have keys from 0 to this, exclusive, over and over."},
		{names: []string{"--command-config"}, metavar: "CONFIG-FILE", help: "File of properties for the producer."},
	},
}

// verifiableProducerTool is kafka-verifiable-producer.sh.
func verifiableProducerTool(ctx context.Context, a *App, args []string) error {
	return verifiableProducerArgs.run(a, args, func(v *argValues) error {
		cl, err := newVerifiableProducer(a, v)
		if err != nil {
			return err
		}
		p := &verifiableProducer{eventLog: newEventLog(a), cl: cl, v: v, begun: time.Now()}
		return p.run(ctx)
	})
}

func newVerifiableProducer(a *App, v *argValues) (*kgo.Client, error) {
	file, err := configFile(verifiableProducerArgs, v, "producer.config", func(s string) { fmt.Fprintln(a.Stdout, s) })
	if err != nil {
		return nil, err
	}
	a.conn.brokers, a.conn.file, a.conn.timeout = v.text("bootstrap-server"), file, time.Minute
	props := map[string]string{"acks": v.text("acks"), "retries": "0", "enable.idempotence": "false"}
	given, err := a.toolProperties(file, nil)
	if err != nil {
		return nil, err
	}
	for key, text := range given {
		props[key] = text
	}
	if isTrue(given["enable.idempotence"]) && given["retries"] == "" {
		delete(props, "retries")
	}
	if props["compression.type"] == "" {
		props["compression.type"] = "none"
	}
	opts, err := producerOptions(props)
	if err != nil {
		return nil, err
	}
	cl, err := a.client(opts...)
	if err != nil {
		return nil, toolFailure{err}
	}
	return cl, nil
}

type verifiableProducer struct {
	*eventLog
	cl    *kgo.Client
	v     *argValues
	begun time.Time
	sent  int64
	acked atomic.Int64
	key   int64 // of the next message
	made  int64 // creation time of the next message, if it is given
}

// keyAndValue are those of a message; a key that is not wanted is null.
type keyAndValue struct {
	Key   *string `json:"key"`
	Value string  `json:"value"`
}

type sendSuccess struct {
	event
	keyAndValue
	Offset    int64  `json:"offset"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

type sendError struct {
	event
	keyAndValue
	Topic     string `json:"topic"`
	Message   string `json:"message"`
	Exception string `json:"exception"`
}

type toolData struct {
	event
	Sent             int64      `json:"sent"`
	Acked            int64      `json:"acked"`
	TargetThroughput int64      `json:"target_throughput"`
	AvgThroughput    javaDouble `json:"avg_throughput"`
}

// run produces until there were enough, or it is told to end. What is on its way then is
// still awaited.
func (p *verifiableProducer) run(ctx context.Context) error {
	p.print(eventNow("startup_complete"))
	most := p.v.number("max-messages", -1)
	p.made = p.v.number("message-create-time", -1)
	for i := int64(0); (most < 0 || i < most) && ctx.Err() == nil; i++ {
		p.send(i)
		p.throttle(ctx, i)
	}
	flushed := p.cl.Flush(context.WithoutCancel(ctx))
	p.cl.Close()
	p.print(eventNow("shutdown_complete"))
	seconds := time.Since(p.begun).Seconds()
	p.print(toolData{eventNow("tool_data"), p.sent, p.acked.Load(), p.v.number("throughput", -1), javaDouble(float64(p.acked.Load()) / seconds)})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return flushed
}

func (p *verifiableProducer) send(i int64) {
	kv := keyAndValue{Value: strconv.FormatInt(i, 10)}
	if p.v.has("value-prefix") {
		kv.Value = p.v.text("value-prefix") + "." + kv.Value
	}
	r := &kgo.Record{Topic: p.v.text("topic"), Value: []byte(kv.Value)}
	if most := p.v.number("repeating-keys", 0); p.v.has("repeating-keys") {
		key := strconv.FormatInt(p.key, 10)
		kv.Key, r.Key = &key, []byte(key)
		if p.key++; p.key == most {
			p.key = 0
		}
	}
	if p.made >= 0 {
		r.Timestamp = time.UnixMilli(p.made)
		p.made += time.Since(p.begun).Milliseconds()
	}
	p.sent++
	p.cl.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		if err != nil {
			p.print(sendError{eventNow("producer_send_error"), kv, r.Topic, messageOf(err), "class " + javaClass(err)})
			return
		}
		p.acked.Add(1)
		p.print(sendSuccess{eventNow("producer_send_success"), kv, r.Offset, r.Topic, r.Partition})
	})
}

// throttle waits until so many messages may have been sent.
func (p *verifiableProducer) throttle(ctx context.Context, sent int64) {
	target := p.v.number("throughput", -1)
	if target < 0 {
		return
	}
	due := time.Duration(1<<63 - 1) // a throughput of 0 ends after the first
	if target > 0 {
		due = time.Duration(float64(sent) / float64(target) * float64(time.Second))
	}
	if wait := due - time.Since(p.begun); wait > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}
