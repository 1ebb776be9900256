package rebalance

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odradek/odradek/conformance/figures"
)

var write = flag.Bool("write", false, "write the page that is made of figures.jsonl")

// figure is a line of the results file: what came of one change to a group.
type figure struct {
	Program    string  `json:"program"`
	Protocol   string  `json:"protocol"`
	Phase      string  `json:"phase"`
	Day        string  `json:"day"`
	Members    int     `json:"members"`
	Partitions int     `json:"partitions"`
	Seconds    float64 `json:"seconds"`
	CPU        float64 `json:"cpu_seconds"`
	Moved      int     `json:"moved"`
	Memory     float64 `json:"memory_mib"`
}

func record(t *testing.T, f figure) {
	t.Helper()
	f.Day = figures.Today()
	figures.Append(t, *results, f)
}

const header = `# Rebalances

<!-- generated from conformance/rebalance/figures.jsonl by go test -run TestPage ./conformance/rebalance -write; do not edit -->

A group of %d members on a topic of %d partitions, on one node of 2 virtual cores that also
runs the members and other builds: expect better, and other figures each time. The members
speak the protocol themselves, each on a connection of its own. Counted from the change:
until all members are of one epoch and each partition has one member; how much processor
time the node took until then; how many partitions came to a member that had not had them.
Members of the classic protocol send a heartbeat every three seconds, as the Java client does,
with the range assignor; those of the consumer protocol every five, as the server tells
them, with its default assignor: those pauses are most of the time. Both programs have their
defaults and were measured in one run, when every partition was served; the newest counts.

    make rebalance

| protocol | change | Odradek: time | CPU | moved | Apache Kafka 4.2.1: time | CPU | moved |
| --- | --- | --- | --- | --- | --- | --- | --- |
`

// The page says what figures.jsonl says, and nothing else.
func TestPage(t *testing.T) {
	newest := make(map[string]figure)
	var order, protocols []string
	seen := func(list *[]string, s string) {
		for _, have := range *list {
			if have == s {
				return
			}
		}
		*list = append(*list, s)
	}
	var last figure
	for _, f := range figures.Read[figure](t, "figures.jsonl") {
		newest[f.Program+"/"+f.Protocol+"/"+f.Phase], last = f, f
		seen(&order, f.Phase)
	}
	protocols = []string{"classic", "consumer"}
	var b strings.Builder
	fmt.Fprintf(&b, header, last.Members, last.Partitions)
	for _, protocol := range protocols {
		for _, phase := range order {
			fmt.Fprintf(&b, "| %s | %s |", protocol, phase)
			for _, program := range []string{"odradek", "kafka"} {
				if f, ok := newest[program+"/"+protocol+"/"+phase]; ok {
					fmt.Fprintf(&b, " %.2f s | %.2f s | %d |", f.Seconds, f.CPU, f.Moved)
				} else {
					b.WriteString(" – | – | – |")
				}
			}
			b.WriteByte('\n')
		}
	}
	memory := func(program, protocol string) string {
		f, ok := newest[program+"/"+protocol+"/"+order[len(order)-1]]
		if !ok {
			return "–"
		}
		return fmt.Sprintf("%.0f MiB", f.Memory)
	}
	b.WriteString("\nMemory of the node in the end:\n\n| protocol | Odradek | Apache Kafka 4.2.1 |\n| --- | --- | --- |\n")
	for _, protocol := range protocols {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", protocol, memory("odradek", protocol), memory("kafka", protocol))
	}
	page := filepath.Join("..", "..", "docs", "benchmarks", "rebalance.md")
	figures.Page(t, page, b.String(), *write, "go test -run TestPage ./conformance/rebalance -write")
}
