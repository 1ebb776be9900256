package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The README's table stands between these lines.
const (
	readmeBegin = "<!-- made of docs/benchmarks/peers.jsonl by go run ./bench -page -->\n"
	readmeEnd   = "<!-- until here -->\n"
)

// WriteReadme puts the newest figures of some loads into a README.
func WriteReadme(readme, file string) error {
	text, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	books, err := Read(file)
	if err != nil {
		return err
	}
	now, err := withTable(string(text), results(books))
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(readme), err)
	}
	return os.WriteFile(readme, []byte(now), 0o644)
}

func withTable(text string, s Shelf) (string, error) {
	before, rest, ok := strings.Cut(text, readmeBegin)
	_, after, ended := strings.Cut(rest, readmeEnd)
	if !ok || !ended {
		return "", errors.New("no place for the table")
	}
	return before + readmeBegin + readmeTable(s) + readmeEnd + after, nil
}

// readmeTable is what a reader asks first, of the newest session that has measured each: the median of
// its rounds, and their range if there is more than one.
func readmeTable(s Shelf) string {
	var b strings.Builder
	b.WriteString("| | Odradek | Kafka | Kafka, flushing |\n| --- | --- | --- | --- |\n")
	for _, row := range []struct {
		said, workload string
		m              metric
	}{
		{"produce 1 KB records, MB/s", "produce-1k", megabytes},
		{"CPU seconds of the broker per GB of that", "produce-1k", perGB},
		{"one small Produce after the other: p50, ms", "small-produce", p50},
		{"in transactions of 100 ms, MB/s", "txn-100ms", megabytes},
		{"to 3 nodes, acks=all, MB/s", "replicated-1k", megabytes},
		{"small batches into 10,000 partitions, records/s", "partitions-10000", records},
		{"consume 1 KB records, MB/s", "consume-1k", megabytes},
		{"end to end at a quarter of Kafka's rate: p50, ms", "endtoend-quarter", p50},
		{"the same: p99, ms", "endtoend-quarter", p99},
		{"at half of it: p50, ms", "endtoend", p50},
		{"the same: p99, ms", "endtoend", p99},
		{"start to the first record, ms", "start-empty", first},
		{"memory, idle, MiB", "start-empty", idle},
		{"memory while 1 KB records are produced, MiB", "produce-1k", peak},
	} {
		fmt.Fprintf(&b, "| %s |", row.said)
		for _, system := range []string{us, kafka, flushes} {
			var at spread
			if book := s.newestOf(row.workload); book != nil {
				at = spreadOf(book.sample(system, row.workload, row.m))
			}
			fmt.Fprintf(&b, " %s |", cell(at))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
