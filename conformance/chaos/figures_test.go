package chaos

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/conformance/figures"
)

var writePage = flag.Bool("write", false, "write the page that is made of figures.jsonl")

// figure is a line of the results file: what came of a scenario, or of a piece of a soak.
type figure struct {
	Name     string           `json:"name"` // soak, or the scenario's
	Day      string           `json:"day"`
	Seconds  float64          `json:"seconds"` // under load
	Nodes    int              `json:"nodes"`
	Workers  int              `json:"workers"`
	Faults   map[string]int64 `json:"faults"`
	Killed   int64            `json:"worker_kills"`
	Zombies  int64            `json:"zombies"`
	Sends    int64            `json:"sends"`
	Acked    int64            `json:"acked"`
	Polled   int64            `json:"polled"`
	Rest     int64            `json:"rest"`
	Txns     int64            `json:"committed"`
	Aborts   int64            `json:"aborted"`
	Inputs   int64            `json:"inputs"`   // of pipes, each once
	Healing  float64          `json:"healing"`  // seconds, the longest
	Stall    float64          `json:"stall"`    // seconds, the longest until each partition took a record
	Checking float64          `json:"checking"` // seconds
	Wrong    int              `json:"wrong"`
	Without  []string         `json:"without,omitempty"`
}

// ops are the operations that were checked.
func (f figure) ops() int64 { return f.Sends + f.Polled }

func record(t *testing.T, f figure) {
	t.Helper()
	f.Day = figures.Today()
	figures.Append(t, *results, f)
}

const header = `# Results

<!-- generated from conformance/chaos/figures.jsonl by go test -run TestPage ./conformance/chaos -write; do not edit -->

What came of the scenarios and the soak that [README.md](README.md) describes. Runs add up. An
operation is a record sent or a record polled; each was held against all others by the checkers
of [sim/check](../../sim/check), and what pipes put out against what they took in.

| | runs | time under load | faults | workers killed | zombies | records sent | acknowledged | polled | other operations | transactions committed | aborted | inputs of pipes, each once | longest stall | longest healing | violations |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
`

// row is figures of one name, added up.
type row struct {
	figure
	runs   int
	faulty int64
}

// The page says what figures.jsonl says, and nothing else.
func TestPage(t *testing.T) {
	figures.Page(t, "RESULTS.md", pageOf(figures.Read[figure](t, "figures.jsonl")), *writePage, "go test -run TestPage ./conformance/chaos -write")
}

func pageOf(lines []figure) string {
	var rows []*row
	faults := make(map[string]int64)
	for _, f := range lines {
		rows = merge(rows, f)
		if f.Name == "soak" {
			for name, n := range f.Faults {
				faults[name] += n
			}
		}
	}
	slices.SortFunc(rows, func(a, b *row) int { return strings.Compare(order(a.Name), order(b.Name)) })
	var b strings.Builder
	b.WriteString(header)
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %d | %.1f min | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %.1f s | %.1f s | %d |\n", r.Name, r.runs, r.Seconds/60, r.faulty,
			r.Killed, r.Zombies, r.Sends, r.Acked, r.Polled, r.Rest, r.Txns, r.Aborts, r.Inputs, r.Stall, r.Healing, r.Wrong)
	}
	var all row
	for _, r := range rows {
		all.Seconds, all.Sends, all.Polled, all.faulty, all.Wrong = all.Seconds+r.Seconds, all.Sends+r.Sends, all.Polled+r.Polled, all.faulty+r.faulty, all.Wrong+r.Wrong
	}
	fmt.Fprintf(&b, "\nIn all: %.2f hours, %d faults, %d operations checked, %d violations.\n", all.Seconds/3600, all.faulty, all.ops(), all.Wrong)
	if len(faults) > 0 {
		b.WriteString("\n## Faults of the soak\n\n| fault | times |\n| --- | --- |\n")
		for _, name := range slices.Sorted(maps.Keys(faults)) {
			fmt.Fprintf(&b, "| %s | %d |\n", name, faults[name])
		}
	}
	return b.String()
}

// order puts the soak first, and scenarios by their number.
func order(name string) string {
	if name == "soak" {
		return ""
	}
	number, _, _ := strings.Cut(name, " ")
	return fmt.Sprintf("%4s %s", number, name)
}

// merge adds a run to those of the same name.
func merge(rows []*row, f figure) []*row {
	i := slices.IndexFunc(rows, func(r *row) bool { return r.Name == f.Name })
	if i < 0 {
		i, rows = len(rows), append(rows, &row{figure: figure{Name: f.Name}})
	}
	r := rows[i]
	r.runs++
	for _, n := range f.Faults {
		r.faulty += n
	}
	r.Seconds, r.Killed, r.Zombies = r.Seconds+f.Seconds, r.Killed+f.Killed, r.Zombies+f.Zombies
	r.Sends, r.Acked, r.Polled, r.Rest = r.Sends+f.Sends, r.Acked+f.Acked, r.Polled+f.Polled, r.Rest+f.Rest
	r.Txns, r.Aborts, r.Inputs, r.Wrong = r.Txns+f.Txns, r.Aborts+f.Aborts, r.Inputs+f.Inputs, r.Wrong+f.Wrong
	r.Stall, r.Healing = max(r.Stall, f.Stall), max(r.Healing, f.Healing)
	return rows
}
