package eos

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/odradek/odradek/conformance/figures"
)

var write = flag.Bool("write", false, "write the page that is made of figures.jsonl")

// figure is a line of the results file: what came of one client's pipelines.
type figure struct {
	Kind    string  `json:"kind"` // eos
	Program string  `json:"program"`
	Client  string  `json:"client"`
	Group   string  `json:"group"` // classic or consumer
	Day     string  `json:"day"`
	Seconds float64 `json:"seconds"`
	Brokers int     `json:"broker_kills"`
	Killed  int64   `json:"worker_kills"`
	Zombies int64   `json:"zombies"`
	Left    int64   `json:"left"`
	Inputs  int64   `json:"inputs"`
	Txns    int64   `json:"committed"`
	Aborts  int64   `json:"aborted"`
	Fenced  int64   `json:"fenced"`
	Anew    int64   `json:"began_anew"`
	Unseen  int64   `json:"aborted_records"`
	Wrong   int     `json:"wrong"`
}

func record(t *testing.T, f figure) {
	t.Helper()
	f.Kind, f.Program, f.Day, f.Seconds = "eos", *program, figures.Today(), lasts.Seconds()
	figures.Append(t, *results, f)
}

const header = `# Results

<!-- generated from conformance/eos/figures.jsonl by go test -run TestPage ./conformance/eos -write; do not edit -->

What came of the pipelines that [README.md](README.md) describes. Runs of the same client add
up; one that showed a record twice, none or one out of order ends in a failure.

| program | client | groups | time | brokers killed | workers killed | zombies | left | inputs, each once | transactions committed | aborted | workers fenced | sessions begun anew | records aborted |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
`

// The page says what figures.jsonl says, and nothing else.
func TestPage(t *testing.T) {
	var rows []figure
	for _, f := range figures.Read[figure](t, "figures.jsonl") {
		rows = merge(rows, f)
	}
	var b strings.Builder
	b.WriteString(header)
	for _, f := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %.1f min | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d |\n",
			strings.NewReplacer("odradek", "Odradek", "kafka", "Apache Kafka 4.2.1").Replace(f.Program), f.Client, f.Group, f.Seconds/60,
			f.Brokers, f.Killed, f.Zombies, f.Left, f.Inputs, f.Txns, f.Aborts, f.Fenced, f.Anew, f.Unseen)
	}
	figures.Page(t, "RESULTS.md", b.String(), *write, "go test -run TestPage ./conformance/eos -write")
}

// merge adds a run to those of the same client.
func merge(rows []figure, f figure) []figure {
	for i := range rows {
		r := &rows[i]
		if r.Program == f.Program && r.Client == f.Client && r.Group == f.Group {
			r.Seconds, r.Brokers, r.Killed, r.Zombies, r.Left = r.Seconds+f.Seconds, r.Brokers+f.Brokers, r.Killed+f.Killed, r.Zombies+f.Zombies, r.Left+f.Left
			r.Inputs, r.Txns, r.Aborts, r.Fenced, r.Anew, r.Unseen = r.Inputs+f.Inputs, r.Txns+f.Txns, r.Aborts+f.Aborts, r.Fenced+f.Fenced, r.Anew+f.Anew, r.Unseen+f.Unseen
			return rows
		}
	}
	return append(rows, f)
}
