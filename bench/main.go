// Command bench compares Odradek with Apache Kafka on one machine: it starts one system after the
// other, puts the same loads on each, measures what they cost, and writes a line of JSON for each
// run. The page docs/benchmarks/peers.md is made of those lines.
//
//	go run ./bench                                all loads, three rounds: some hours
//	go run ./bench -workloads produce-1k,start-empty -rounds 5
//	go run ./bench -short -out short.jsonl        small loads, one round, and the limits of bench/limits.json
//	go run ./bench -list
//	go run ./bench -page                          only makes the page
//
// Systems take turns within a round, A B A B; a load that fails is recorded as failed, and the rest
// goes on. Whatever was started is ended, and its folders are removed. The goroutines here read what
// a load prints, and end with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/odradek/odradek/bench/load"
	"github.com/odradek/odradek/bench/report"
)

// options are the flags.
type options struct {
	systems   string
	workloads string
	rounds    int
	short     bool
	out       string
	page      bool
	list      bool
	dir       string
	heap      int
	rate      float64
	seconds   float64
	patience  time.Duration
	warm      float64
	ballast   bool
}

const everything = "odradek,kafka,kafka-flush,nats,floor,floor-durable"

func main() {
	var o options
	flag.StringVar(&o.systems, "systems", everything, "what to compare: odradek, kafka, kafka-flush, nats, floor, floor-durable; those that cannot be started are left out, and that is said")
	flag.StringVar(&o.workloads, "workloads", "", "names of loads, by commas; a * at the end takes all that begin so; default: all")
	flag.IntVar(&o.rounds, "rounds", 3, "how often everything is done")
	flag.BoolVar(&o.short, "short", false, "small loads and one round, and fails if bench/limits.json is exceeded: some minutes, and no result")
	flag.StringVar(&o.out, "out", "docs/benchmarks/peers.jsonl", "file to which runs are appended")
	flag.BoolVar(&o.page, "page", false, "only make the page of the file, and the table in README.md")
	flag.BoolVar(&o.list, "list", false, "print the loads and do nothing")
	flag.StringVar(&o.dir, "dir", "", "folder for the systems' data, which is removed; it should be on the disk to be measured; default: that of temporary files")
	flag.IntVar(&o.heap, "kafka-heap", 0, "megabytes of heap for each node of Kafka; default: what its start script takes")
	flag.Float64Var(&o.rate, "rate", 0, "records a second of loads at a fixed rate; default: half of what Kafka was able to do at first")
	flag.Float64Var(&o.seconds, "seconds", 0, "how long loads last that end by time; default: what each says")
	flag.DurationVar(&o.patience, "patience", 8*time.Minute, "after which a load has failed")
	flag.Float64Var(&o.warm, "warm", 20, "seconds of load that a system gets before the first that counts")
	flag.BoolVar(&o.ballast, "ballast", true, "keep the machine's memory full of page cache, so that nobody pays for the first touch of a page (bench/ballast)")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("what is %q?", flag.Args())
	case o.list:
		for _, w := range workloads() {
			fmt.Printf("%-26s %d  %s\n", w.Name, w.Nodes, w.what())
		}
		return nil
	case o.page:
		return errors.Join(report.Write(o.out), report.WriteReadme("README.md", o.out))
	}
	if o.short {
		o.rounds, o.warm, o.ballast = 1, 2, false
		if o.systems == everything {
			o.systems = "odradek,kafka"
		}
		if o.workloads == "" {
			o.workloads = shortly
		}
	}
	list, err := choose(o.workloads)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := newSession(o)
	if err != nil {
		return err
	}
	err = s.all(ctx, list)
	return errors.Join(err, s.close())
}

// workload is a load of the comparison, or a start if partitions is not negative.
type workload struct {
	load.Named
	starts     bool
	partitions int
}

func (w workload) what() string {
	if w.starts {
		return fmt.Sprintf("from the start of a node with %d partitions to the first record", w.partitions)
	}
	return w.Spec.Kind
}

// shortly are the workloads of -short.
const shortly = "start-empty,produce-1k,consume-1k,raw-produce-16k,raw-fetch-16k,ping,small-produce,replicated-1k"

// workloads are all there are, in the order in which they are done: starts first, then on one node
// those of few partitions before those of many, which leave a lot to clear up, then those on three.
func workloads() []workload {
	start := func(name string, partitions int) workload {
		return workload{Named: load.Named{Name: name, Nodes: 1}, starts: true, partitions: partitions}
	}
	all := []workload{start("start-empty", 0), start("start-10000", 10_000)}
	for _, n := range load.Loads() {
		all = append(all, workload{Named: n})
	}
	slices.SortStableFunc(all, func(a, b workload) int {
		if a.Nodes != b.Nodes {
			return a.Nodes - b.Nodes
		}
		return weight(a) - weight(b)
	})
	return all
}

func weight(w workload) int {
	if w.Spec.Partitions >= 1000 {
		return w.Spec.Partitions
	}
	return 0
}

// choose finds the workloads that were asked for.
func choose(names string) (chosen []workload, err error) {
	all := workloads()
	if names == "" {
		return all, nil
	}
	wanted := make(map[string]bool)
	for name := range strings.SplitSeq(names, ",") {
		prefix, many := strings.CutSuffix(name, "*")
		found := false
		for _, w := range all {
			if w.Name == name || many && strings.HasPrefix(w.Name, prefix) {
				wanted[w.Name], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no load %q: -list prints them", name)
		}
	}
	return slices.DeleteFunc(all, func(w workload) bool { return !wanted[w.Name] }), nil
}
