package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odradek/odradek/bench/load"
	"github.com/odradek/odradek/bench/measure"
	"github.com/odradek/odradek/conformance/figures"
)

const again = "go run ./bench -page"

// The page and its plots say what peers.jsonl says, and nothing else; there are none without it.
func TestPage(t *testing.T) {
	dir := filepath.Join("..", "..", "docs", "benchmarks")
	file := filepath.Join(dir, "peers.jsonl")
	pages := map[string]string{}
	if _, err := os.Stat(file); err == nil {
		if pages, err = Pages(file); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range pages {
		figures.Page(t, filepath.Join(dir, name), text, false, again)
	}
	there, err := filepath.Glob(filepath.Join(dir, "peers*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if _, made := pages[filepath.Base(path)]; !made && path != file {
			t.Errorf("%s is made of no figures: %s", path, again)
		}
	}
}

// The README's table says what peers.jsonl says.
func TestReadme(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	books, err := Read(filepath.Join(root, "docs", "benchmarks", "peers.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := withTable(string(text), results(books))
	if err != nil {
		t.Fatal(err)
	}
	if want != string(text) {
		t.Errorf("its figures are others: %s", again)
	}
	if _, err := withTable("no place", nil); err == nil {
		t.Error("a README without a place for the table is none")
	}
}

// a run of a load: so many MB in a second at so much processor time.
func a(session string, round int, system, workload string, mb, cpu float64) Line {
	return Line{Run: &Run{Session: session, Round: round, System: system, Workload: workload,
		Load: &load.Result{Records: int64(mb * 1000), Bytes: int64(mb * 1e6), Seconds: 1, Latency: load.Latency{P50: 1000, P99: 2000}},
		Cost: &Cost{During: measure.Usage{UserSeconds: cpu / 2}, After: measure.Usage{SystemSeconds: cpu / 2}, Memory: measure.Memory{Peak: 30 << 20}}}}
}

func write(t *testing.T, lines ...Line) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "peers.jsonl")
	for _, l := range lines {
		if err := figures.Add(file, l); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func begin(id string, rounds int, short bool) Line {
	return Line{Session: &Session{ID: id, Command: "go run ./bench", Rounds: rounds, Short: short, Systems: []System{
		{us, "Odradek", "1", "as it is"}, {kafka, "Apache Kafka", "4.2.1", "as it is"}, {kernel, "The kernel alone", "", "as it is"}}}}
}

// Ratios are made within a round, then their median is taken; what reaches its target says so.
func TestFiguresBecomeAPage(t *testing.T) {
	failed := a("A", 3, kafka, "produce-1k", 0, 0)
	failed.Run.Load, failed.Run.Cost, failed.Run.Failed = nil, nil, "it | broke"
	file := write(t, begin("A", 3, false),
		a("A", 1, us, "produce-1k", 200, 0.2), a("A", 1, kafka, "produce-1k", 100, 0.2),
		a("A", 2, us, "produce-1k", 300, 0.3), a("A", 2, kafka, "produce-1k", 300, 0.6),
		a("A", 3, us, "produce-1k", 900, 0.9), failed,
		a("A", 1, us, "raw-produce-16k", 100, 0.2), a("A", 1, kernel, "raw-produce-16k", 100, 0.1),
		Line{Run: &Run{Session: "A", Round: 1, System: us, Workload: "start-empty", Start: &Start{First: 0.15, Resident: 20 << 20}}},
		begin("B", 1, true), a("B", 1, us, "produce-1k", 1e6, 1), a("B", 1, kafka, "produce-1k", 1, 1))
	pages, err := Pages(file)
	if err != nil {
		t.Fatal(err)
	}
	page := pages["peers.md"]
	for _, want := range []string{
		"| produce throughput, 1 KB, acks=all, 6 partitions | ≥ 1.5 × Kafka | yes, in 1 of 2 rounds | 1.5 × | 1 × to 2 × | 1.5 ×, reached in 1 of 1 |",
		"| the same throughput, if Kafka flushes each record too | ≥ 4 × Kafka, flushing | not measured | – | – | – |",
		"| broker CPU seconds per GB produced, 1 KB records of a client | ≤ 0.5 × Kafka | **yes** | 0.5 × | 0.5 × | 0.5 ×, reached in 1 of 1 |",
		"| broker CPU seconds per GB produced, 16 KiB batches | ≤ 1.5 × the kernel alone | no | 2 × | 2 × | 2 ×, reached in 0 of 1 |",
		"| start to first acknowledged record, empty | ≤ 200 ms | **yes** | 150 ms | 150 ms | 150 ms, reached in 1 of 1 |",
		"| produce-1k | Odradek | 300 (200–900) |",
		"| A | 3 | kafka | produce-1k | it \\| broke |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say: %s", want)
		}
	}
	if strings.Contains(page, "| B |") {
		t.Error("a short session is on the page")
	}
	if t.Failed() {
		t.Log(page)
	}
	for _, name := range []string{"peers-throughput.svg", "peers-cpu.svg", "peers-start.svg"} {
		if !strings.Contains(page, "]("+name+")") || !strings.HasPrefix(pages[name], "<svg ") {
			t.Errorf("%s is missing", name)
		}
	}
	if len(pages) != 5 { // with peers-memory.svg
		t.Errorf("%d files", len(pages))
	}
}

// Each session has a median of its own; how far apart they are, and how many reach a target, is said.
func TestSessionsAreCompared(t *testing.T) {
	pages, err := Pages(write(t,
		begin("A", 1, false), a("A", 1, us, "produce-1k", 200, 1), a("A", 1, kafka, "produce-1k", 100, 1),
		begin("B", 1, false), a("B", 1, us, "produce-1k", 120, 1), a("B", 1, kafka, "produce-1k", 100, 1),
		begin("C", 1, false), a("C", 1, us, "consume-1k", 120, 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| produce throughput, 1 KB, acks=all, 6 partitions | ≥ 1.5 × Kafka | no | 1.2 × | 1.2 × | 1.2 × to 2 ×, reached in 1 of 2 |",
		"| measure | to be reached | A | B | C |",
		"| produce throughput, 1 KB, acks=all, 6 partitions | ≥ 1.5 × Kafka | 2 × | 1.2 × | – |",
	} {
		if !strings.Contains(pages["peers.md"], want) {
			t.Errorf("the page does not say: %s", want)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	if _, err := Pages(write(t, a("A", 1, us, "produce-1k", 1, 1))); err == nil {
		t.Error("a run without a session was believed")
	}
	if pages, err := Pages(filepath.Join(t.TempDir(), "peers.jsonl")); err != nil || !strings.Contains(pages["peers.md"], "Nothing has been measured yet") {
		t.Errorf("without a file: %v, %v", pages, err)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.05: "0.05", 1.0 / 3: "0.333", 1.5: "1.5", 12.34: "12.3", 123.4: "123", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}
