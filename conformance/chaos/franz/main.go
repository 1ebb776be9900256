// Command franz is a worker of the chaos rig, written with franz-go: it does one job until
// it is told to stop, and tells as lines of sim/history what it tried and what came of it.
// It decides nothing about what is right.
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

	"github.com/twmb/franz-go/pkg/kgo"
)

// job is what the rig asks for.
type job struct {
	Do      string // one of jobs
	Seeds   []string
	Process int    // who its first client is in the history; the next are those after it
	ID      string // the transactional id
	Seed    uint64
	topics  []topic
	In      string // the topic that a pipe takes from
	Group   string
	Proto   string        // of the group: classic or consumer
	Level   string        // read_committed or read_uncommitted
	Codec   string        // none, gzip, snappy, lz4 or zstd
	Most    int           // records in a burst
	Pace    time.Duration // between two bursts of a partition
	Patient bool          // a send is never given up
	Stay    time.Duration // how long a member is one before it leaves
	Mortal  bool          // it may be killed: each line is written at once
	Out     string        // the file that lines are added to
}

// jobs are what a worker can do.
var jobs = map[string]func(context.Context, job, *log) error{
	"send": send, "pipe": pipe, "read": read, "member": join, "share": partake, "watch": watch, "offsets": offsets,
}

type topic struct {
	name       string
	partitions int32
}

func parse() (j job) {
	seeds := flag.String("bootstrap", "", "addresses of brokers, with commas")
	topics := flag.String("topics", "", "NAME:PARTITIONS, with commas")
	flag.StringVar(&j.Do, "do", "", "send, pipe, read, member, share, watch or offsets")
	flag.IntVar(&j.Process, "process", 0, "who its first client is in the history, and as a producer; the next are those after it")
	flag.StringVar(&j.ID, "id", "", "the transactional id")
	flag.Uint64Var(&j.Seed, "seed", 1, "of sizes and pauses")
	flag.StringVar(&j.In, "in", "", "the topic that a pipe takes from")
	flag.StringVar(&j.Group, "group", "", "the group")
	flag.StringVar(&j.Proto, "protocol", "classic", "classic or consumer")
	flag.StringVar(&j.Level, "isolation", "read_committed", "read_committed or read_uncommitted")
	flag.StringVar(&j.Codec, "codec", "none", "none, gzip, snappy, lz4 or zstd")
	flag.IntVar(&j.Most, "most", 100, "records in a burst")
	flag.DurationVar(&j.Pace, "pace", 50*time.Millisecond, "between two bursts of a partition")
	flag.BoolVar(&j.Patient, "patient", false, "never give a send up")
	flag.DurationVar(&j.Stay, "stay", time.Minute, "how long a member is one before it leaves and another joins")
	flag.BoolVar(&j.Mortal, "mortal", false, "write each line at once, since it may be killed")
	flag.StringVar(&j.Out, "out", "", "the file that lines are added to")
	flag.Parse()
	j.Seeds = strings.Split(*seeds, ",")
	for _, t := range strings.Split(*topics, ",") {
		name, n, _ := strings.Cut(t, ":")
		partitions, err := strconv.Atoi(n)
		if err != nil {
			fmt.Fprintln(os.Stderr, "topics:", err)
			os.Exit(2)
		}
		j.topics = append(j.topics, topic{name, int32(partitions)})
	}
	return j
}

func main() {
	j := parse()
	do := jobs[j.Do]
	if do == nil {
		fmt.Fprintln(os.Stderr, "there is no job", j.Do)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	out, err := newLog(j)
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

// options are those of every client of a worker.
func (j job) options(more ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{
		kgo.SeedBrokers(j.Seeds...), kgo.ClientID(fmt.Sprintf("chaos-%d", j.Process)),
		kgo.DialTimeout(2 * time.Second), kgo.RequestTimeoutOverhead(3 * time.Second), kgo.RetryTimeout(20 * time.Second),
		kgo.AlwaysRetryEOF(), kgo.MetadataMinAge(250 * time.Millisecond), kgo.MetadataMaxAge(5 * time.Second),
	}, more...)
}

func (j job) isolation() kgo.Opt {
	if j.Level == "read_committed" {
		return kgo.FetchIsolationLevel(kgo.ReadCommitted())
	}
	return kgo.FetchIsolationLevel(kgo.ReadUncommitted())
}

func (j job) codec() kgo.CompressionCodec {
	return map[string]kgo.CompressionCodec{"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(),
		"zstd": kgo.ZstdCompression()}[j.Codec] // the zero value is none
}

// pause is that between two bursts: half to one and a half of the pace.
func (j job) pause(rng *rand.Rand) time.Duration {
	return j.Pace/2 + time.Duration(rng.Int64N(int64(j.Pace)))
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
