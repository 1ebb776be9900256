package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { nouns = append(nouns, produceCommand) }

// producer is the produce command.
type producer struct {
	*App
	topic     string
	key       string
	keyGiven  bool
	headers   []string
	tombstone bool
	codec     string
	partition int32
	acks      string
	format    string
	json      bool
	delimiter string
	maxBytes  int32

	layout layout

	mu     sync.Mutex // guards what follows
	stored map[int32]span
	count  int
	failed int
	err    error // the first
}

// span are the offsets that one partition gave, [first, last].
type span struct{ first, last int64 }

func produceCommand(a *App) *cobra.Command {
	p := &producer{App: a, stored: make(map[int32]span)}
	c := &cobra.Command{
		Use: "produce TOPIC [VALUE...]", Aliases: []string{"p"},
		Short: "Produce records from arguments or from standard input, a line a record",
		Long: `Produce records: the values that are given, or else standard input, a line a record.
What was stored where is told on standard error; -o jsonl prints it for each record.

` + formatHelp,
		Example: `  echo hello | odradek produce greetings
  odradek produce greetings -k de Hallo -H source=test
  odradek produce users -k 17 -Z
  odradek produce orders --format '%k:%v' -z zstd < orders.txt
  odradek consume orders --from start -e --json | odradek produce copy --json`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: first(a.completeTopics, cobra.NoFileCompletions),
		RunE: func(c *cobra.Command, args []string) error {
			p.topic, p.keyGiven = args[0], c.Flags().Changed("key")
			return p.run(c.Context(), args[1:])
		},
	}
	f := c.Flags()
	f.StringVarP(&p.key, "key", "k", "", "key of every record")
	f.StringArrayVarP(&p.headers, "header", "H", nil, "a header, NAME=VALUE; may be repeated")
	f.BoolVarP(&p.tombstone, "tombstone", "Z", false, "one record with a null value")
	f.StringVarP(&p.codec, "compression", "z", "none", "none, gzip, snappy, lz4 or zstd")
	f.Int32VarP(&p.partition, "partition", "p", -1, "partition; default: by key")
	f.StringVar(&p.acks, "acks", "all", "all, 1 or 0")
	f.StringVarP(&p.format, "format", "f", "%v", "how a record is read from a line")
	f.BoolVar(&p.json, "json", false, "a line is a record in JSON, as consume prints them; topic, partition and offset are not taken over")
	f.StringVarP(&p.delimiter, "delimiter", "D", `\n`, "what stands between records of standard input")
	f.Int32Var(&p.maxBytes, "max-bytes", 1_000_012, "size of a batch, and so of a record")
	return c
}

func (p *producer) run(ctx context.Context, values []string) error {
	opts, err := p.check(values)
	if err != nil {
		return err
	}
	c, err := p.client(opts...)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Ping(ctx); err != nil {
		return err
	}
	if err := p.feed(ctx, c, values); err != nil {
		p.fail(err)
	}
	// What was accepted is delivered even after Ctrl-C, if that is quick.
	flush, stop := context.WithTimeout(context.WithoutCancel(ctx), p.conn.timeout)
	defer stop()
	if ctx.Err() != nil {
		flush, stop = context.WithTimeout(flush, 2*time.Second)
		defer stop()
	}
	if err := c.Flush(flush); err != nil {
		p.fail(err)
	}
	return p.end(ctx)
}

// check reads the flags and turns them into options of a client.
func (p *producer) check(values []string) ([]kgo.Opt, error) {
	if p.out.format == "yaml" || p.out.format == "name" {
		return nil, usagef("produce prints text or jsonl, not %s", p.out.format)
	}
	if p.maxBytes < 512 {
		return nil, usagef("--max-bytes %d: want at least 512", p.maxBytes)
	}
	if p.tombstone && (len(values) > 0 || !p.keyGiven) {
		return nil, usagef("a tombstone has a key (-k) and no value")
	}
	var err error
	if p.layout, err = parseLayout(p.format, "kvhTp"); err != nil {
		return nil, err
	}
	for i := range p.layout[:max(len(p.layout)-1, 0)] {
		if p.layout[i].field != 0 && p.layout[i+1].field != 0 {
			return nil, usagef("format %q: nothing stands between %%%c and %%%c", p.format, p.layout[i].field, p.layout[i+1].field)
		}
	}
	if p.delimiter, err = unescape(p.delimiter); err != nil || p.delimiter == "" {
		return nil, errors.Join(err, usagef("--delimiter wants some text"))
	}
	codec, err := compression(p.codec)
	if err != nil {
		return nil, err
	}
	acks, err := acksOptions(p.acks)
	if err != nil {
		return nil, err
	}
	return append(acks,
		kgo.AllowAutoTopicCreation(), kgo.ProducerBatchCompression(codec), kgo.ProducerBatchMaxBytes(p.maxBytes),
		kgo.RecordPartitioner(p.partitioner()), kgo.MetadataMinAge(100*time.Millisecond), kgo.RequestRetries(5),
		kgo.UnknownTopicRetries(5), // and no delivery timeout: it counts from a record's own timestamp
	), nil
}

func compression(name string) (kgo.CompressionCodec, error) {
	switch name {
	case "none":
		return kgo.NoCompression(), nil
	case "gzip":
		return kgo.GzipCompression(), nil
	case "snappy":
		return kgo.SnappyCompression(), nil
	case "lz4":
		return kgo.Lz4Compression(), nil
	case "zstd":
		return kgo.ZstdCompression(), nil
	}
	return kgo.CompressionCodec{}, usagef("unknown compression %q: none, gzip, snappy, lz4 or zstd", name)
}

func acksOptions(acks string) ([]kgo.Opt, error) {
	switch acks {
	case "all", "-1":
		return []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks())}, nil
	case "1":
		return []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()}, nil
	case "0":
		return []kgo.Opt{kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite()}, nil
	}
	return nil, usagef("unknown acks %q: all, 1 or 0", acks)
}

// partitioner is Kafka's, by key, unless records say where they go.
func (p *producer) partitioner() kgo.Partitioner {
	says := func(part layoutPart) bool { return part.field == 'p' }
	if p.partition >= 0 || (!p.json && slices.ContainsFunc(p.layout, says)) {
		return kgo.ManualPartitioner()
	}
	return kgo.StickyKeyPartitioner(nil)
}

// feed produces the values, or standard input.
func (p *producer) feed(ctx context.Context, c *kgo.Client, values []string) error {
	if p.tombstone {
		r, err := p.record(nil)
		if err == nil {
			r.Value = nil
			c.Produce(ctx, r, p.answered)
		}
		return err
	}
	if len(values) > 0 {
		for _, v := range values {
			r, err := p.record([]byte(v))
			if err != nil {
				return err
			}
			c.Produce(ctx, r, p.answered)
		}
		return nil
	}
	return p.feedStdin(ctx, c)
}

// feedStdin reads in a goroutine of its own, which nothing can wake from a terminal; it
// ends with the process at the latest.
func (p *producer) feedStdin(ctx context.Context, c *kgo.Client) error {
	done := make(chan error, 1)
	go func() {
		scan := bufio.NewScanner(p.Stdin)
		scan.Buffer(nil, int(p.maxBytes)*2+64<<10)
		scan.Split(p.split)
		line := 0
		for scan.Scan() && ctx.Err() == nil {
			line++
			r, err := p.record(scan.Bytes())
			if err != nil {
				done <- fmt.Errorf("record %d: %w", line, err)
				return
			}
			c.Produce(ctx, r, p.answered)
		}
		err := scan.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("record %d is longer than --max-bytes %d", line+1, p.maxBytes)
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// split cuts standard input at the delimiter.
func (p *producer) split(data []byte, atEOF bool) (int, []byte, error) {
	end := bytes.Index(data, []byte(p.delimiter))
	switch {
	case end >= 0:
		return end + len(p.delimiter), data[:end], nil
	case atEOF && len(data) > 0:
		return len(data), data, nil
	}
	return 0, nil, nil
}

// record makes a record of a line, over what the flags say.
func (p *producer) record(line []byte) (*kgo.Record, error) {
	r := &kgo.Record{Topic: p.topic, Partition: p.partition, Value: []byte{}}
	if p.keyGiven {
		r.Key = []byte(p.key)
	}
	for _, h := range p.headers {
		if err := addHeader(r, h); err != nil {
			return nil, usage(err)
		}
	}
	if p.json && !p.tombstone {
		return r, fromJSON(line, r)
	}
	if !p.tombstone {
		return r, p.layout.parse(line, r)
	}
	return r, nil
}

// answered takes what became of a record.
func (p *producer) answered(r *kgo.Record, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.failed++
		if p.err == nil {
			p.err = err
		}
		return
	}
	p.count++
	s, ok := p.stored[r.Partition]
	if !ok {
		s.first = r.Offset
	}
	s.last = r.Offset
	p.stored[r.Partition] = s
	if p.out.format != "text" {
		if err := p.printStored(p.Stdout, r); err != nil && p.err == nil {
			p.err = err
		}
	}
}

func (p *producer) printStored(w io.Writer, r *kgo.Record) error {
	return json.NewEncoder(w).Encode(struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Offset    int64  `json:"offset"`
		Timestamp int64  `json:"timestamp"`
	}{r.Topic, r.Partition, r.Offset, r.Timestamp.UnixMilli()})
}

func (p *producer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

// end says what was stored where.
func (p *producer) end(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out.format == "text" && p.count > 0 {
		p.warn("%s to %s: %s", plural(p.count, "record"), p.topic, p.places())
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case p.failed > 0 && p.count+p.failed > 1:
		return fmt.Errorf("topic %s: %d of %d records failed: %w", p.topic, p.failed, p.count+p.failed, p.err)
	case p.failed > 0:
		return fmt.Errorf("topic %s: %w", p.topic, p.err)
	}
	return p.err
}

func (p *producer) places() string {
	if p.acks == "0" {
		return "sent, without an acknowledgement"
	}
	var list []string
	for _, n := range slices.Sorted(maps.Keys(p.stored)) {
		s := p.stored[n]
		text := fmt.Sprintf("partition %d offset %d", n, s.first)
		if s.last > s.first {
			text = fmt.Sprintf("partition %d offsets %d-%d", n, s.first, s.last)
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(n) + " " + what + "s"
}
