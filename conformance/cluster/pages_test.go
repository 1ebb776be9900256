package cluster

import (
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/conformance/figures"
)

var write = flag.Bool("write", false, "write the pages that are made of figures.jsonl")

const (
	figuresFile = "figures.jsonl"
	resultsPage = "RESULTS.md"
)

var benchmarksPage = filepath.Join("..", "..", "docs", "benchmarks", "cluster.md")

const generated = "<!-- generated from conformance/cluster/figures.jsonl by go test -run TestPages ./conformance/cluster -write; do not edit -->\n"

// The pages say what figures.jsonl says, and nothing else.
func TestPages(t *testing.T) {
	all := figures.Read[figure](t, figuresFile)
	for file, text := range map[string]string{resultsPage: resultsText(all), benchmarksPage: benchmarksText(all)} {
		figures.Page(t, file, text, *write, "go test -run TestPages ./conformance/cluster -write")
	}
}

func of(all []figure, kind string) (some []figure) {
	for _, f := range all {
		if f.Kind == kind {
			some = append(some, f)
		}
	}
	return some
}

var programs = []string{"odradek", "kafka"}

func benchmarksText(all []figure) string {
	var b strings.Builder
	b.WriteString("# Clusters\n\n" + generated)
	b.WriteString(`
Three nodes, each broker and voter, on one machine of 2 virtual cores that also runs the
clients and the load (five idempotent producers, a group of two, commits). Odradek and
Apache Kafka have the same settings: the defaults of each, replication factor 3,
min.insync.replicas 2. They were measured one after the other while other builds used the
same cores: expect better, and other figures each time.

## Failover

A broker is killed (kill -9) while it leads a third of the partitions. Counted from the
kill: until a partition that it led acknowledges a record with acks=all; until a consumer
that is made at that moment reads that record; until a topic can be created. Every second
victim leads the metadata quorum as well.

    go test -count=1 -v -timeout 3h -run TestFailover ./conformance/cluster -failovers=kafka,odradek -kills=50 -results=figures.jsonl

| program | victim | kills | partitions | written: median | 99 % | longest | read: median | 99 % | longest | topic created: median | 99 % |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
`)
	for _, victim := range []string{"any", "leads the quorum", "does not"} {
		for _, program := range programs {
			var kills int
			var written, read, created []float64
			for _, f := range of(all, "failover") {
				if f.Program != program || victim == "leads the quorum" && !f.Leader || victim == "does not" && f.Leader {
					continue
				}
				kills++
				written, read, created = append(written, f.Write...), append(read, f.Read...), append(created, f.Create)
			}
			if kills == 0 {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %d |", title(program), victim, kills, len(written))
			for _, sample := range [][]float64{written, read} {
				fmt.Fprintf(&b, " %s | %s | %s |", seconds(quantile(sample, 0.5)), seconds(quantile(sample, 0.99)), seconds(quantile(sample, 1)))
			}
			fmt.Fprintf(&b, " %s | %s |\n", seconds(quantile(created, 0.5)), seconds(quantile(created, 0.99)))
		}
	}
	thousandText(&b, of(all, "thousand"))
	return b.String()
}

// thousandText is a table of numbers, a column for each program; the last run counts.
func thousandText(b *strings.Builder, figures []figure) {
	last := make(map[string]figure)
	rows := make(map[string]bool)
	for _, f := range figures {
		last[f.Program] = f
	}
	for _, f := range last {
		for name := range f.Numbers {
			rows[name] = true
		}
	}
	if len(last) == 0 {
		return
	}
	b.WriteString("\n## Many topics\n\nTopics of ten partitions with three copies each, on the same machine, without load.\nMemory is the mean resident set of a node.\n\n    go test -count=1 -v -timeout 1h -run TestThousandTopics ./conformance/cluster -thousand=1000 -results=figures.jsonl\n\n|")
	var columns []string
	for _, p := range programs {
		if _, ok := last[p]; ok {
			columns = append(columns, p)
			fmt.Fprintf(b, " | %s", title(p))
		}
	}
	fmt.Fprintf(b, " |\n| --- |%s\n", strings.Repeat(" --- |", len(columns)))
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		name, inMillis := strings.CutSuffix(row, ", ms")
		fmt.Fprintf(b, "| %s |", name)
		for _, p := range columns {
			n, ok := last[p].Numbers[row]
			switch {
			case !ok:
				b.WriteString(" – |")
			case inMillis:
				fmt.Fprintf(b, " %s |", seconds(n))
			default:
				fmt.Fprintf(b, " %v |", n)
			}
		}
		b.WriteByte('\n')
	}
}

func resultsText(all []figure) string {
	var b strings.Builder
	b.WriteString("# Results\n\n" + generated)
	b.WriteString("\nWhat came of the tests that [README.md](README.md) describes.\n")
	soakText(&b, of(all, "soak"))
	hurtText(&b, "Cuts of the network", "cut", of(all, "cut"))
	hurtText(&b, "Brokers that stand still", "victim", of(all, "pause"))
	toolsText(&b, of(all, "tool"))
	return b.String()
}

// soakText adds up the pieces.
func soakText(b *strings.Builder, figures []figure) {
	b.WriteString("\n## The matrix of clients while brokers are killed\n\n")
	b.WriteString("| program | pieces | time | kills | rounds of the matrix | cells | tried again | failed | records acknowledged | lost, doubled, moved | comparisons |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, program := range programs {
		var sum figure
		pieces := 0
		for _, f := range figures {
			if f.Program != program {
				continue
			}
			pieces++
			sum.Seconds += f.Seconds
			sum.Kills += f.Kills
			sum.Rounds += f.Rounds
			sum.Cells += f.Cells
			sum.Again += f.Again
			sum.Wrong += f.Wrong
			sum.Acked += f.Acked
			sum.Checked += f.Checked
		}
		if pieces > 0 {
			fmt.Fprintf(b, "| %s | %d | %.0f min | %d | %d | %d | %d | %d | %d | 0 | %d |\n", title(program), pieces, sum.Seconds/60, sum.Kills, sum.Rounds, sum.Cells, sum.Again, sum.Wrong, sum.Acked, sum.Checked)
		}
	}
	b.WriteString("\nA piece with a loss ends in a failure and leaves no figure.\n")
}

// hurtText is a table of how long it took until clients could write again.
func hurtText(b *strings.Builder, heading, what string, figures []figure) {
	fmt.Fprintf(b, "\n## %s\n\n| %s |", heading, what)
	for _, p := range programs {
		fmt.Fprintf(b, " %s: times | writes again, median | longest | in sync after the end, median | old leader asked | acknowledged |", title(p))
	}
	fmt.Fprintf(b, "\n| --- |%s\n", strings.Repeat(" --- |", 6*len(programs)))
	name := func(f figure) string {
		if f.Kind == "pause" {
			return map[bool]string{true: "leads the quorum", false: "does not"}[f.Leader]
		}
		return f.Name
	}
	var names []string
	for _, f := range figures {
		if !slices.Contains(names, name(f)) {
			names = append(names, name(f))
		}
	}
	for _, n := range names {
		fmt.Fprintf(b, "| %s |", n)
		for _, p := range programs {
			var again, after []float64
			asked := 0.0
			for _, f := range figures {
				if f.Program == p && name(f) == n {
					again, after = append(again, f.Numbers["writes again"]), append(after, f.Numbers["in sync after the end"])
					asked += f.Numbers["asked the old leader"]
				}
			}
			if len(again) == 0 {
				b.WriteString(" – | – | – | – | – | – |")
				continue
			}
			told := " – | – |"
			if asked > 0 { // had it acknowledged one, there would be no figure
				told = fmt.Sprintf(" %v | 0 |", asked)
			}
			fmt.Fprintf(b, " %d | %s | %s | %s |%s", len(again), seconds(quantile(again, 0.5)), seconds(quantile(again, 1)), seconds(quantile(after, 0.5)), told)
		}
		b.WriteByte('\n')
	}
}

// toolsText is the table of Kafka's tools, as the last run of each saw it, and what they
// printed.
func toolsText(b *strings.Builder, figures []figure) {
	if len(figures) == 0 {
		return
	}
	last := make(map[string]figure)
	for _, f := range figures {
		last[f.Name] = f
	}
	b.WriteString("\n## Kafka's own tools\n\nEach is called with the same words on a cluster of Apache Kafka 4.2.1 and on one of Odradek. \"Same\" means the\nsame exit status and the same lines, but for ids, ports, times and sizes.\n\n| tool | exit status | output |\n| --- | --- | --- |\n")
	for _, s := range slices.Concat(steps, groupSteps) {
		if f, ok := last[s.name]; ok {
			said := "same"
			if f.Numbers["same"] != 1 {
				said = "differs: " + toolDifferences[s.name]
			}
			fmt.Fprintf(b, "| %s | %v | %s |\n", s.name, f.Numbers["status"], said)
		}
	}
	b.WriteString("\n### What they print on Odradek\n")
	for _, s := range slices.Concat(steps, groupSteps) {
		f, ok := last[s.name]
		if !ok {
			continue
		}
		text := strings.Split(strings.TrimSpace(f.Text), "\n")
		text = slices.DeleteFunc(text, func(line string) bool { return strings.HasPrefix(line, "\tat ") }) // of a stack trace
		if len(text) > 12 {
			text = append(text[:12], fmt.Sprintf("… and %d lines more", len(text)-12))
		}
		for i := range text {
			text[i] = strings.TrimRight(text[i][:min(len(text[i]), 200)], " \t")
		}
		fmt.Fprintf(b, "\n%s: `%s %s`\n\n```text\n%s\n```\n", s.name, s.class[strings.LastIndex(s.class, ".")+1:], s.words, strings.Join(text, "\n"))
	}
}
