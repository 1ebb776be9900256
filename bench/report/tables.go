package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/odradek/odradek/bench/load"
)

// column is a metric of a table. Where better is not 0 the systems are compared with Kafka:
// 1 says that more is better, -1 that less is.
type column struct {
	name   string
	metric metric
}

// table is loads that say something by the same metrics.
type table struct {
	title   string
	intro   string
	loads   []string
	columns []column
	ratio   metric // of which the pairs' ratio to Kafka is shown
	ratioOf string
}

// tables are those of the page.
func tables() []table {
	clients := []column{{"MB/s", megabytes}, {"records/s", records}, {"p50, ms", p50}, {"p99, ms", p99},
		{"broker CPU s/GB", perGB}, {"client CPU s/GB", clientGB}, {"memory, MiB", peak}, {"to disk, B/B", written}}
	raw := []column{{"MB/s", megabytes}, {"p50, ms", p50}, {"p99, ms", p99}, {"broker CPU s/GB", perGB},
		{"µs CPU a request", perRequest}, {"switches a request", switches}, {"system calls a request", calls}, {"allocations a request", allocations}}
	small := []column{{"requests/s", requests}, {"p50, ms", p50}, {"p99, ms", p99}, {"µs CPU a request", perRequest},
		{"switches a request", switches}, {"system calls a request", calls}, {"allocations a request", allocations}}
	return []table{
		{"Producing", "franz-go. Latency is from when a record is handed to the client, whose queue is kept full, to its acknowledgement.",
			named(load.Produce, func(n load.Named) bool { return n.Nodes == 1 && n.Spec.Partitions < 1000 && !n.Spec.Spread }), clients, megabytes, "MB/s"},
		{"Transactions", "Commits every 100 ms.", named(load.Txn, nil), clients, megabytes, "MB/s"},
		{"Consuming", "franz-go reads from the start what is in the page cache; each consumer of a fan-out reads everything. `tail` consumers read what producers write meanwhile.",
			append(named(load.Consume, nil), named(load.Tail, nil)...), clients, perGB, "CPU"},
		{"End to end at a fixed rate", "From when a record is due to when it is read; at half of the rate that Kafka reached before the first round.",
			named(load.EndToEnd, func(n load.Named) bool { return n.Nodes == 1 }), clients, p99, "p99"},
		{"Beside a catch-up consumer", "Latency is that of the producers, at a fixed rate, alone and then beside a consumer that reads from the disk.",
			named(load.CatchUp, nil), []column{{"p99 alone, ms", more("alone")}, {"p99 beside, ms", more("beside")}, {"broker CPU s/GB", perGB}}, more("beside"), "p99 beside"},
		{"Many partitions", "Each record goes to the next partition, so that batches are small; `raw` writes ten small batches a request without a client library.",
			slices.Concat(named(load.Produce, func(n load.Named) bool { return n.Spec.Spread }), named(load.RawProduce, func(n load.Named) bool { return n.Spec.Spots > 1 })), clients, records, "records/s"},
		{"Three nodes on one machine", "Replication factor 3, min.insync.replicas 2.",
			slices.Concat(named(load.Produce, func(n load.Named) bool { return n.Nodes == 3 }), named(load.EndToEnd, func(n load.Named) bool { return n.Nodes == 3 })), clients, megabytes, "MB/s"},
		{"The broker alone: batches", "Prepared requests on one connection, without a client library, one batch each. The kernel alone receives, sums, appends and answers, or reads and sends, and does nothing else.",
			append(named(load.RawProduce, big), named(load.RawFetch, big)...), raw, perGB, "CPU"},
		{"The broker alone: small requests", "ApiVersions, and Produce of a record of 100 bytes: one by one, and 128 in flight.",
			append(named(load.RawPing, nil), named(load.RawProduce, func(n load.Named) bool { return n.Spec.Batch == 0 })...), small, perRequest, "CPU"},
		{"Other clients", "Kafka's own kafka-producer-perf-test and kafka-consumer-perf-test, and librdkafka.",
			slices.Concat(named(load.JavaProduce, nil), named(load.JavaConsume, nil), named(load.RdkafkaProduce, nil), named(load.RdkafkaConsume, nil)), clients, perGB, "CPU"},
		{"Idle connections", "5,000 connections that say nothing, alone.", named(load.Idle, nil),
			[]column{{"memory, MiB", peak}, {"broker CPU s", ofLoad(func(r *Run) float64 { return r.Cost.During.CPU() })}}, peak, "memory"},
		{"Start", "From the start of the process, on a formatted folder, to the first connection that is accepted and to the first record that is acknowledged; empty, a topic is made first. Idle memory is that of the node a little later.",
			[]string{"start-empty", "start-10000"}, []column{{"accepts, ms", answers}, {"first record, ms", first}, {"CPU s until then", starts}, {"idle memory, MiB", idle}}, first, "first record"},
	}
}

func big(n load.Named) bool { return n.Spec.Batch >= 16<<10 }

// named lists the loads of a kind.
func named(kind string, also func(load.Named) bool) (names []string) {
	for _, n := range load.Loads() {
		if n.Spec.Kind == kind && (also == nil || also(n)) {
			names = append(names, n.Name)
		}
	}
	return names
}

// newestOf is the last session that has figures of a load on any system.
func (s Shelf) newestOf(workload string) *Book {
	for _, b := range slices.Backward(s) {
		if slices.ContainsFunc(b.Runs, func(r Run) bool { return r.Workload == workload && r.Failed == "" }) {
			return b
		}
	}
	return nil
}

// text writes a table, a line for each load and system; of loads that nobody has done there is
// none.
func (t *table) text(b *strings.Builder, s Shelf) {
	var rows strings.Builder
	for _, w := range t.loads {
		book := s.newestOf(w)
		if book == nil {
			continue
		}
		for _, system := range book.Systems {
			if len(book.of(system.Name, w)) == 0 {
				continue
			}
			fmt.Fprintf(&rows, "| %s | %s |", w, system.Title)
			for _, c := range t.columns {
				fmt.Fprintf(&rows, " %s |", cell(spreadOf(book.sample(system.Name, w, c.metric))))
			}
			ratio := "–"
			if at := spreadOf(book.ratios(point{system.Name, w, t.ratio}, point{kafka, w, t.ratio})); at.n > 0 && system.Name != kafka {
				ratio = cell(at)
			}
			fmt.Fprintf(&rows, " %s |\n", ratio)
		}
	}
	if rows.Len() == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n| load | system |", t.title, t.intro)
	rule := "| --- | --- |"
	for _, c := range t.columns {
		fmt.Fprintf(b, " %s |", c.name)
		rule += " --- |"
	}
	fmt.Fprintf(b, " %s, × Kafka |\n%s --- |\n%s", t.ratioOf, rule, rows.String())
}

// failuresText lists the runs that have no figures.
func failuresText(b *strings.Builder, s Shelf) {
	var rows strings.Builder
	for _, book := range s {
		for _, r := range book.Runs {
			if r.Failed != "" {
				fmt.Fprintf(&rows, "| %s | %d | %s | %s | %s |\n", book.ID, r.Round, r.System, r.Workload, strings.ReplaceAll(r.Failed, "|", "\\|"))
			}
		}
	}
	if rows.Len() > 0 {
		b.WriteString("\n## What failed\n\n| session | round | system | load | why |\n| --- | --- | --- | --- | --- |\n" + rows.String())
	}
}
