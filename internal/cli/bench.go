package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { nouns = append(nouns, benchCommand) }

// bench is one run: on the cluster of -b, or on a node of its own.
type bench struct {
	*App
	size       int
	batch      int32
	partitions int32
	acks       string
	codec      string
	durability string
	seconds    float64
	limit      int64

	node  *childNode // nil if the cluster is not ours
	topic string
	sent  int // records in the topic
	list  []benchPhase
}

// benchPhase is a line of figures. What is not known is 0.
type benchPhase struct {
	Phase         string  `json:"phase"`
	Records       int     `json:"records"`
	Bytes         int64   `json:"bytes"`
	Seconds       float64 `json:"seconds"`
	RecordsPerSec float64 `json:"recordsPerSecond"`
	MBPerSec      float64 `json:"megabytesPerSecond"`
	P50Micros     int64   `json:"p50Micros,omitempty"`
	P99Micros     int64   `json:"p99Micros,omitempty"`
	P999Micros    int64   `json:"p999Micros,omitempty"`
	MaxMicros     int64   `json:"maxMicros,omitempty"`
	BrokerCPU     float64 `json:"brokerCPUSeconds,omitempty"`
	CPUPerGB      float64 `json:"brokerCPUSecondsPerGB,omitempty"`
}

func benchCommand(a *App) *cobra.Command {
	b := &bench{App: a}
	c := &cobra.Command{
		Use: "bench [produce|consume]", Short: "Measure throughput, latency and what they cost the broker",
		Long: `Measure a cluster that -b names, or else a throw-away node on this machine, in a folder
below the system's folder of temporary files. Three things are measured: producing as
much as goes, producing one record at a time, and reading it all. The client takes its
share of this machine; MB are a million bytes of keys and values.`,
		Example: `  odradek bench
  odradek bench produce --record-size 100 --acks 1 -z lz4 --seconds 10
  odradek bench consume -b kafka.example:9092`,
		Args: cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs), ValidArgs: []string{"produce", "consume"},
		RunE: func(c *cobra.Command, args []string) error { return b.run(c.Context(), args) },
	}
	f := c.Flags()
	f.IntVar(&b.size, "record-size", 1000, "bytes of a value")
	f.Int32Var(&b.batch, "batch", 1<<20, "bytes of a batch, at most")
	f.Int32Var(&b.partitions, "partitions", 6, "partitions of the topic")
	f.StringVar(&b.acks, "acks", "all", "all, 1 or 0")
	f.StringVarP(&b.codec, "compression", "z", "none", "none, gzip, snappy, lz4 or zstd")
	f.StringVar(&b.durability, "durability", "", "odradek.durability of the topic: fsync or os")
	f.Float64Var(&b.seconds, "seconds", 3, "how long to produce")
	f.Int64Var(&b.limit, "limit", 2<<30, "bytes to produce at most")
	return c
}

func (b *bench) run(ctx context.Context, args []string) (err error) {
	if b.size < 1 || b.batch < 512 || b.partitions < 1 || b.seconds <= 0 || b.limit < int64(b.size) {
		return usagef("bench wants a --record-size and --partitions of at least 1, a --batch of at least 512, some --seconds and a --limit above the record size")
	}
	produce := len(args) == 0 || args[0] == "produce"
	consume := len(args) == 0 || args[0] == "consume"
	end, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := b.produce(ctx, produce); err != nil {
		return err
	}
	if produce {
		if err := b.oneByOne(ctx); err != nil {
			return err
		}
	}
	if consume {
		if err := b.consume(ctx); err != nil {
			return err
		}
	}
	return b.print()
}

// begin finds or starts a node and makes the topic. The func it returns clears both up.
func (b *bench) begin(ctx context.Context) (end func() error, err error) {
	clean := func() error { return nil }
	if b.conn.brokers == "" {
		dir, err := os.MkdirTemp("", "odradek-bench-")
		if err != nil {
			return nil, err
		}
		clean = func() error {
			if b.node != nil {
				err = b.node.stop()
			}
			return errors.Join(err, os.RemoveAll(dir))
		}
		if b.node, err = b.startChild(ctx, dir, "localhost:0"); err != nil {
			return nil, errors.Join(err, clean())
		}
		b.conn.brokers = b.node.Kafka[0]
	}
	b.topic = fmt.Sprintf("odradek-bench-%08x", rand.Uint32())
	if err := b.createTopic(ctx); err != nil {
		return nil, errors.Join(err, clean())
	}
	return func() error { return errors.Join(b.deleteTopic(), clean()) }, nil
}

func (b *bench) createTopic(ctx context.Context) error {
	adm, err := b.admin()
	if err != nil {
		return err
	}
	defer adm.Close()
	configs := make(map[string]*string)
	if b.durability != "" {
		configs["odradek.durability"] = &b.durability
	}
	res, err := adm.CreateTopic(ctx, b.partitions, -1, configs, b.topic)
	if err == nil {
		err = said(res.Err, res.ErrMessage)
	}
	return err
}

// deleteTopic also runs after Ctrl-C.
func (b *bench) deleteTopic() error {
	adm, err := b.admin()
	if err != nil {
		return err
	}
	defer adm.Close()
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	_, err = adm.DeleteTopic(ctx, b.topic)
	return err
}

// producer makes a client that produces to the topic.
func (b *bench) producer(more ...kgo.Opt) (*kgo.Client, error) {
	codec, err := compression(b.codec)
	if err != nil {
		return nil, err
	}
	acks, err := acksOptions(b.acks)
	if err != nil {
		return nil, err
	}
	opts := append(acks, kgo.DefaultProduceTopic(b.topic), kgo.ProducerBatchCompression(codec),
		kgo.ProducerBatchMaxBytes(b.batch), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	return b.client(append(opts, more...)...)
}

// payloads are values that compress about as well as JSON does.
func (b *bench) payloads() [][]byte {
	rng := rand.New(rand.NewPCG(1, uint64(b.size)))
	list := make([][]byte, 64)
	for i := range list {
		list[i] = make([]byte, b.size)
		for j := range list[i] {
			list[i][j] = "etaoin shrdlu{},"[rng.IntN(16)]
		}
	}
	return list
}

// phase measures what do does: the broker's CPU, and the time.
func (b *bench) phase(name string, do func() (records int, took []time.Duration, err error)) error {
	cpu, cpuErr := b.cpu()
	began := time.Now()
	n, took, err := do()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p := benchPhase{Phase: name, Records: n, Bytes: int64(n) * int64(b.size), Seconds: time.Since(began).Seconds()}
	if after, err := b.cpu(); err == nil && cpuErr == nil {
		p.BrokerCPU = after - cpu
		p.CPUPerGB = p.BrokerCPU / (float64(p.Bytes) / 1e9)
	}
	p.RecordsPerSec, p.MBPerSec = float64(n)/p.Seconds, float64(p.Bytes)/1e6/p.Seconds
	if slices.Sort(took); len(took) > 0 {
		at := func(q float64) int64 { return took[min(len(took)-1, int(q*float64(len(took))))].Microseconds() }
		p.P50Micros, p.P99Micros, p.P999Micros, p.MaxMicros = at(0.5), at(0.99), at(0.999), at(1)
	}
	b.list = append(b.list, p)
	return nil
}

func (b *bench) cpu() (float64, error) {
	if b.node == nil {
		return 0, errors.New("the broker is not ours")
	}
	return cpuSeconds(b.node.PID)
}

func (b *bench) print() error {
	if b.App.out.format == "text" {
		on := "the cluster at " + b.conn.brokers
		if b.node != nil {
			on = "a throw-away node"
		}
		b.warn("%s: records of %d bytes, batches up to %s, %s, acks %s, compression %s", on, b.size, size(int64(b.batch)),
			plural(int(b.partitions), "partition"), b.acks, b.codec)
	}
	l := &listing{kind: "Bench", columns: []string{"phase", "records", "records/s", "MB/s", "p50", "p99", "p99.9", "max", "broker-CPU-s/GB"}}
	for _, p := range b.list {
		latency := func(us int64) string {
			if us == 0 {
				return "-"
			}
			return brief(time.Duration(us) * time.Microsecond)
		}
		cpu := "-"
		if p.BrokerCPU > 0 && p.Phase != "one-by-one" { // there the bytes are beside the point
			cpu = fmt.Sprintf("%.2f", p.CPUPerGB)
		}
		l.add(p, p.Phase, thousands(p.Records), thousands(int(p.RecordsPerSec)), fmt.Sprintf("%.1f", p.MBPerSec),
			latency(p.P50Micros), latency(p.P99Micros), latency(p.P999Micros), latency(p.MaxMicros), cpu)
	}
	return b.App.print(l)
}
