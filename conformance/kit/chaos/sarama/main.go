// Command sarama is a worker of conformance/chaos, written with IBM/sarama: it does one job
// until it is told to stop, and tells in lines of docs/formats/history.md what it tried and
// what came of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

// job is what the rig asks for.
type job struct {
	do      string // send or read
	seeds   []string
	topics  map[string]int32
	process int // who this is in the history, and as a producer
	seed    uint64
	level   string
	codec   string
	most    int
	pace    time.Duration
	out     string
}

func parse() (j job) {
	j.topics = make(map[string]int32)
	flag.StringVar(&j.do, "do", "", "send or read")
	flag.Func("bootstrap", "addresses of brokers, with commas", func(s string) error { j.seeds = strings.Split(s, ","); return nil })
	flag.Func("topics", "NAME:PARTITIONS, with commas", func(s string) error {
		for _, t := range strings.Split(s, ",") {
			name, n, _ := strings.Cut(t, ":")
			partitions, err := strconv.Atoi(n)
			if err != nil {
				return err
			}
			j.topics[name] = int32(partitions)
		}
		return nil
	})
	flag.IntVar(&j.process, "process", 1, "who this is in the history, and as a producer")
	flag.Uint64Var(&j.seed, "seed", 1, "of sizes and pauses")
	flag.StringVar(&j.level, "isolation", "read_committed", "read_committed or read_uncommitted")
	flag.StringVar(&j.codec, "codec", "none", "none, gzip, snappy, lz4 or zstd")
	flag.IntVar(&j.most, "most", 100, "records in a burst")
	flag.DurationVar(&j.pace, "pace", 50*time.Millisecond, "between two bursts of a partition")
	flag.StringVar(&j.out, "out", "", "the file that lines are added to")
	flag.Parse()
	return j
}

func main() {
	j := parse()
	do := map[string]func(context.Context, job, *lines) error{"send": send, "read": read}[j.do]
	if do == nil {
		fmt.Fprintln(os.Stderr, "there is no job", j.do)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	out, err := newLines(j.out)
	if err == nil {
		err = do(ctx, j, out)
	}
	if err == nil {
		err = out.close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (j job) config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version, c.ClientID = sarama.MaxVersion, fmt.Sprint("chaos-", j.process)
	c.Net.DialTimeout, c.Net.ReadTimeout, c.Net.WriteTimeout = 2*time.Second, 6*time.Second, 6*time.Second
	c.Metadata.RefreshFrequency, c.Metadata.Retry.Max = 5*time.Second, 20
	return c
}

// again calls f until it succeeds or ctx ends: nodes may be away when a worker begins.
func again[T any](ctx context.Context, f func() (T, error)) (T, error) {
	for {
		made, err := f()
		if err == nil || !wait(ctx, 200*time.Millisecond) {
			return made, err
		}
		fmt.Fprintln(os.Stderr, err)
	}
}

// pause is half to one and a half of the pace.
func (j job) pause(rng *rand.Rand) time.Duration {
	return j.pace/2 + time.Duration(rng.Int64N(int64(j.pace)))
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
