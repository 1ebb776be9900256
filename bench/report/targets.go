package report

import (
	"fmt"
	"math"
	"strings"
)

const (
	us      = "odradek"
	kafka   = "kafka"
	flushes = "kafka-flush"
	kernel  = "floor"
)

// target is one line of the table of what is to be reached.
type target struct {
	what  string
	over  point
	under point // none: over alone is held against the bound
	bound float64
	most  bool // at most; else at least
	unit  string
}

func (t *target) alone() bool { return t.under.metric == nil }

// values are those of a session: ratios pair by pair, or a number for each round.
func (t *target) values(b *Book) []float64 {
	if t.alone() {
		return b.sample(t.over.system, t.over.workload, t.over.metric)
	}
	return b.ratios(t.over, t.under)
}

// in is the newest session that has what it takes.
func (t *target) in(s Shelf) *Book {
	for i := len(s) - 1; i >= 0; i-- {
		if len(t.values(s[i])) > 0 {
			return s[i]
		}
	}
	return nil
}

func (t *target) holds(v float64) bool { return t.most && v <= t.bound || !t.most && v >= t.bound }

// reach is the bound in words.
func (t *target) reach() string {
	sign := "≥"
	if t.most {
		sign = "≤"
	}
	if t.alone() {
		return fmt.Sprintf("%s %s %s", sign, number(t.bound), t.unit)
	}
	return fmt.Sprintf("%s %s × %s", sign, number(t.bound), t.denominator())
}

func (t *target) denominator() string {
	switch {
	case t.under.system != t.over.system:
		return map[string]string{kafka: "Kafka", flushes: "Kafka, flushing", kernel: "the kernel alone"}[t.under.system]
	case t.under.workload != t.over.workload:
		return "our own " + t.under.workload
	}
	return "our own without"
}

// targets are all that are to be reached.
func targets() (all []target) {
	against := func(what, other, workload string, m metric, bound float64, most bool) {
		all = append(all, target{what: what, over: point{us, workload, m}, under: point{other, workload, m}, bound: bound, most: most})
	}
	own := func(what, workload string, m metric, bound float64, unit string) {
		all = append(all, target{what: what, over: point{us, workload, m}, bound: bound, most: true, unit: unit})
	}
	within := func(what string, over, under point, bound float64, most bool) {
		all = append(all, target{what: what, over: over, under: under, bound: bound, most: most})
	}
	against("produce throughput, 1 KB, acks=all, 6 partitions", kafka, "produce-1k", megabytes, 1.5, false)
	against("the same throughput, if Kafka flushes each record too", flushes, "produce-1k", megabytes, 4, false)
	for _, way := range []struct{ done, client, raw string }{
		{"produced", "produce-1k", "raw-produce-"}, {"fetched", "consume-1k", "raw-fetch-"},
	} {
		cost := "broker CPU seconds per GB " + way.done
		against(cost+", 1 KB records of a client", kafka, way.client, perGB, 0.5, true)
		for _, size := range []string{"16k", "64k", "1m"} {
			in := map[string]string{"16k": "16 KiB", "64k": "64 KiB", "1m": "1 MiB"}[size] + " batches"
			against(cost+", "+in, kafka, way.raw+size, perGB, 0.5, true)
			against(cost+", "+in, kernel, way.raw+size, perGB, 1.5, true)
		}
	}
	own("server CPU per small request, one by one", "ping", perRequest, 20, "µs")
	own("server CPU per small request, pipelined", "ping-pipelined", perRequest, 3, "µs")
	against("end-to-end p50 at half of Kafka's top rate", kafka, "endtoend", p50, 0.5, true)
	against("end-to-end p99 at half of Kafka's top rate", kafka, "endtoend", p99, 0.5, true)
	for _, l := range []struct{ name, said string }{{"partitions-", "small batches of a client into 10,000 partitions"}, {"raw-partitions-", "small batches into 10,000 partitions, no client library"}} {
		within(l.said, point{us, l.name + "10000", records}, point{us, l.name + "10", records}, 0.8, false)
		against(l.said, kafka, l.name+"10000", records, 3, false)
	}
	against("replicated throughput, 3 nodes", kafka, "replicated-1k", megabytes, 1.5, false)
	within("transactional throughput at 100 ms commits", point{us, "txn-100ms", megabytes}, point{us, "produce-1k", megabytes}, 0.9, false)
	against("start to first acknowledged record, empty", kafka, "start-empty", first, 0.05, true)
	own("start to first acknowledged record, empty", "start-empty", first, 200, "ms")
	against("start to first acknowledged record, 10,000 partitions", kafka, "start-10000", first, 0.05, true)
	own("start to first acknowledged record, 10,000 partitions", "start-10000", first, 1000, "ms")
	against("memory, idle", kafka, "start-empty", idle, 0.1, true)
	against("memory, under load", kafka, "produce-1k", peak, 1.0/3, true)
	within("p99 of producers beside a catch-up consumer", point{us, "catchup", more("beside")}, point{us, "catchup", more("alone")}, 1.3, true)
	return all
}

// verdict says whether a target is reached: by the median, and by each pair.
func (t *target) verdict(values []float64) string {
	if len(values) == 0 {
		return "not measured"
	}
	held := 0
	for _, v := range values {
		if t.holds(v) {
			held++
		}
	}
	switch {
	case held == len(values):
		return "**yes**"
	case t.holds(spreadOf(values).median):
		return fmt.Sprintf("yes, in %d of %d rounds", held, len(values))
	}
	return "no"
}

// targetsText is the table of targets, by the newest session that has measured each, and how far apart
// the medians of all sessions are.
func targetsText(b *strings.Builder, s Shelf) {
	b.WriteString("| measure | to be reached | reached? | median | range | medians of all sessions |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, t := range targets() {
		var values []float64
		if book := t.in(s); book != nil {
			values = t.values(book)
		}
		at := spreadOf(values)
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", t.what, t.reach(), t.verdict(values), t.show(at.median), t.span(at), t.overall(s))
	}
}

// overall is the range of the medians of all sessions, and in how many the target was reached.
func (t *target) overall(s Shelf) string {
	var medians []float64
	reached := 0
	for _, book := range s {
		if at := spreadOf(t.values(book)); at.n > 0 {
			medians = append(medians, at.median)
			if t.holds(at.median) {
				reached++
			}
		}
	}
	if len(medians) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s, reached in %d of %d", t.span(spreadOf(medians)), reached, len(medians))
}

// show is a value with its unit, or a dash if there is none.
func (t *target) show(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case t.alone():
		return number(v) + " " + t.unit
	}
	return number(v) + " ×"
}

// span is a range, or the one value that all are.
func (t *target) span(s spread) string {
	if low, high := t.show(s.low), t.show(s.high); low != high {
		return low + " to " + high
	}
	return t.show(s.low)
}

// sessionsText compares sessions: the median of each target in each.
func sessionsText(b *strings.Builder, s Shelf) {
	b.WriteString("| measure | to be reached |")
	rule := "\n| --- | --- |"
	for _, book := range s {
		fmt.Fprintf(b, " %s |", book.ID)
		rule += " --- |"
	}
	b.WriteString(rule + "\n")
	for _, t := range targets() {
		fmt.Fprintf(b, "| %s | %s |", t.what, t.reach())
		for _, book := range s {
			fmt.Fprintf(b, " %s |", t.show(spreadOf(t.values(book)).median))
		}
		b.WriteByte('\n')
	}
}
