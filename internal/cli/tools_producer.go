package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

var producerToolOptions = []toolOption{
	{"batch-size", needsArg, "Bytes of a batch (batch.size)."},
	{"bootstrap-server", needsArg, "REQUIRED: the servers to connect to, HOST1:PORT1,HOST2:PORT2."},
	{"broker-list", needsArg, "The old name of --bootstrap-server."},
	{"command-config", needsArg, "File of properties for the producer."},
	{"command-property", needsArg, "KEY=VALUE: a property of the producer; may be repeated."},
	{"compression-codec", mayHaveArg, "none, gzip, snappy, lz4 or zstd; gzip if nothing follows."},
	{"line-reader", needsArg, "The class that reads lines: only Kafka's LineMessageReader."},
	{"max-block-ms", needsArg, "How long to wait for metadata (max.block.ms)."},
	{"max-memory-bytes", needsArg, "Bytes of records that wait to be sent (buffer.memory)."},
	{"max-partition-memory-bytes", needsArg, "The old name of --batch-size."},
	{"message-send-max-retries", needsArg, "How often a record is tried again (retries)."},
	{"metadata-expiry-ms", needsArg, "Age of metadata (metadata.max.age.ms)."},
	{"producer-property", needsArg, "The old name of --command-property."},
	{"producer.config", needsArg, "The old name of --command-config."},
	{"property", needsArg, "The old name of --reader-property."},
	{"reader-config", needsArg, "File of properties for the reader."},
	{"reader-property", needsArg, "KEY=VALUE: parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, headers.key.separator, ignore.error, null.marker."},
	{"request-required-acks", needsArg, "0, 1, -1 or all (acks)."},
	{"request-timeout-ms", needsArg, "How long a broker may take (request.timeout.ms)."},
	{"retry-backoff-ms", needsArg, "How long to wait before trying again (retry.backoff.ms)."},
	{"socket-buffer-size", needsArg, "Bytes of the socket's buffer (send.buffer.bytes)."},
	{"sync", noArg, "Send records one at a time."},
	{"timeout", needsArg, "How long a record waits for others, in ms (linger.ms)."},
	{"topic", needsArg, "REQUIRED: the topic to produce to."},
}

// producerTool is kafka-console-producer.sh.
func producerTool(ctx context.Context, a *App, args []string) error {
	return a.runTool(producerToolOptions, args, "This tool helps to read data from standard input and publish it to Kafka.", func(o *toolOptions) error {
		return runProducerTool(ctx, a, o)
	})
}

func runProducerTool(ctx context.Context, a *App, o *toolOptions) error {
	if err := checkProducerTool(a, o); err != nil {
		return err
	}
	topic, err := o.value("topic")
	if err != nil {
		return err
	}
	reader, err := newLineReader(a, o)
	if err != nil {
		return err
	}
	opts, err := producerToolClient(a, o)
	if err != nil {
		return err
	}
	cl, err := a.client(opts...)
	if err != nil {
		return toolFailure{err}
	}
	defer cl.Close()
	return produceLines(ctx, a, cl, topic, reader, o.has("sync"))
}

// checkProducerTool settles the old and new names of options.
func checkProducerTool(a *App, o *toolOptions) error {
	if err := o.requires("topic"); err != nil {
		return err
	}
	if err := settleNames(o, [][2]string{{"command-config", "producer.config"}, {"command-property", "producer-property"}, {"reader-property", "property"}},
		func(now, old string) {
			fmt.Fprintf(a.Stdout, "Warning: --%s is deprecated and will be removed in a future version. Use --%s instead.\n", old, now)
		}); err != nil {
		return err
	}
	if o.has("max-partition-memory-bytes") {
		fmt.Fprintln(a.Stdout, "Warning: --max-partition-memory-bytes is deprecated and will be removed in Apache Kafka 5.0. Use --batch-size instead.")
		o.values["batch-size"] = o.values["max-partition-memory-bytes"]
	}
	if !o.has("bootstrap-server") && o.has("broker-list") {
		o.values["bootstrap-server"] = o.values["broker-list"]
	}
	servers, err := o.value("bootstrap-server")
	if err != nil {
		return err
	}
	if strings.TrimSpace(servers) == "" {
		return o.usage("Error while validating the bootstrap address\n")
	}
	for _, s := range strings.Split(servers, ",") {
		_, port, ok := strings.Cut(s, ":")
		if _, err := strconv.ParseUint(port[strings.LastIndexByte(port, ':')+1:], 10, 16); !ok || err != nil {
			return o.usage("Please provide valid host:port like host1:9091,host2:9092\n")
		}
	}
	return nil
}

// settleNames moves values from old names of options to new ones, and says so. Both at
// once is an error.
func settleNames(o *toolOptions, names [][2]string, say func(now, old string)) error {
	for _, n := range names {
		now, old := n[0], n[1]
		if o.has(now) && o.has(old) {
			return o.usage("Options --%s and --%s cannot be specified together.", now, old)
		}
	}
	for _, n := range names {
		now, old := n[0], n[1]
		if o.has(old) {
			say(now, old)
			o.values[now] = o.values[old]
		}
	}
	return nil
}

// producerToolClient turns options and properties into those of the client; an option
// wins over a property.
func producerToolClient(a *App, o *toolOptions) ([]kgo.Opt, error) {
	if err := a.connectTool(o, 60_000); err != nil {
		return nil, err
	}
	props, err := a.toolProperties(a.conn.file, o.all("command-property"))
	if err != nil {
		return nil, err
	}
	for option, key := range map[string]string{
		"timeout": "linger.ms", "request-required-acks": "acks", "request-timeout-ms": "request.timeout.ms",
		"message-send-max-retries": "retries", "batch-size": "batch.size", "max-block-ms": "max.block.ms", "max-memory-bytes": "buffer.memory",
	} {
		text, err := o.value(option)
		if err != nil {
			return nil, err
		}
		if text != "" {
			props[key] = text
		}
	}
	props["compression.type"] = "none"
	if o.has("compression-codec") {
		codec, err := o.value("compression-codec")
		if err != nil {
			return nil, err
		}
		props["compression.type"] = firstOf(codec, "gzip")
	}
	if props["client.id"] == "" {
		props["client.id"] = "console-producer"
	}
	for k, v := range props {
		a.conn.settings = append(a.conn.settings, k+"="+v)
	}
	return producerOptions(props)
}

// producerOptions are the properties of a producer that this client knows too. Others are
// ignored, as Kafka ignores what it does not know.
func producerOptions(props map[string]string) ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.AllowAutoTopicCreation(), kgo.RecordDeliveryTimeout(millisDuration(120_000))}
	numbers := map[string]func(int64) kgo.Opt{
		"linger.ms":           func(n int64) kgo.Opt { return kgo.ProducerLinger(millisDuration(n)) },
		"request.timeout.ms":  func(n int64) kgo.Opt { return kgo.ProduceRequestTimeout(millisDuration(n)) },
		"retries":             func(n int64) kgo.Opt { return kgo.RecordRetries(int(n)) },
		"batch.size":          func(n int64) kgo.Opt { return kgo.ProducerBatchMaxBytes(int32(max(n, 1<<20))) },
		"buffer.memory":       func(n int64) kgo.Opt { return kgo.MaxBufferedBytes(int(n)) },
		"delivery.timeout.ms": func(n int64) kgo.Opt { return kgo.RecordDeliveryTimeout(millisDuration(n)) },
		"max.request.size":    func(n int64) kgo.Opt { return kgo.ProducerBatchMaxBytes(int32(n)) },
	}
	for key, opt := range numbers {
		if text := props[key]; text != "" {
			n, err := strconv.ParseInt(text, 10, 32)
			if err != nil || n < 0 {
				return nil, toolFailure{fmt.Errorf("Invalid value %s for configuration %s", text, key)}
			}
			opts = append(opts, opt(n))
		}
	}
	switch acks := props["acks"]; acks {
	case "", "-1", "all":
		if strings.EqualFold(props["enable.idempotence"], "false") {
			opts = append(opts, kgo.DisableIdempotentWrite())
		}
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	default:
		return nil, toolFailure{fmt.Errorf("Invalid value %s for configuration acks: String must be one of: all, -1, 0, 1", acks)}
	}
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	codec, ok := codecs[props["compression.type"]]
	if !ok {
		return nil, toolFailure{fmt.Errorf("Unknown compression name: %s", props["compression.type"])}
	}
	return append(opts, kgo.ProducerBatchCompression(codec)), nil
}

// produceLines sends a record a line. Failures are told as they come, and make the exit
// code 1 in the end.
func produceLines(ctx context.Context, a *App, cl *kgo.Client, topic string, reader *lineReader, sync bool) error {
	in := bufio.NewReader(a.Stdin)
	prompt := Terminal(a.Stdin) && Terminal(a.Stdout)
	var failed atomic.Int64
	done := func(r *kgo.Record, err error) {
		if err != nil {
			failed.Add(1)
			key := "null"
			if r.Key != nil {
				key = fmt.Sprintf("%d bytes", len(r.Key))
			}
			a.warn("ERROR Error when sending message to topic %s with key: %s, value: %d bytes with error: %s", r.Topic, key, len(r.Value), messageOf(err))
		}
	}
	for n := 1; ; n++ {
		if prompt {
			fmt.Fprint(a.Stdout, ">")
		}
		line, err := in.ReadString('\n')
		if line == "" && errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return toolFailure{err}
		}
		r, err := reader.record(topic, strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), n)
		if err != nil {
			_ = cl.Flush(ctx)
			return toolFailure{err}
		}
		if sync {
			if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
				return toolFailure{errors.New(messageOf(err))}
			}
			continue
		}
		cl.Produce(ctx, r, done)
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if failed.Load() > 0 {
		return &codedError{errSilent, exitFailed}
	}
	return nil
}
