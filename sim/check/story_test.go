package check

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/odradek/odradek/sim/history"
)

// story reads a history that was written by hand, one operation a line:
//
//	1 send a/0 1#0 offset=5
//	9 poll a/0 5:1#0 6:1#1 committed high=7
//	9 drain a/0 start=0 high=7
//
// A line begins with a process and a kind. Then come, in any order, a partition; what it
// came to (ok, if nothing is said; fail; info, which never returns); when (@3-9; if nothing
// is said, after all that was before and before all that follows); a value; records; names
// of fields with their values, as JSON has them, and those that stand for themselves.
func story(t testing.TB, text string) *history.History {
	t.Helper()
	h, clock := new(history.History), int64(1000)
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		clock += 10
		fields := map[string]any{"process": number(words[0]), "kind": words[1], "outcome": "ok", "invoke": clock, "return": clock + 1}
		for _, w := range words[2:] {
			take(fields, w)
		}
		b, err := json.Marshal(fields)
		var op history.Op
		if err == nil {
			err = op.UnmarshalJSON(b)
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if op.Outcome == history.Info && fields["return"] == clock+1 {
			op.Return = history.Never
		}
		h.Add(op)
	}
	return h
}

func take(fields map[string]any, w string) {
	name, value, assigned := strings.Cut(w, "=")
	switch {
	case assigned && name == "places":
		var all []any
		for _, p := range strings.Split(value, ",") {
			all = append(all, placeOf(p))
		}
		fields[name] = all
	case assigned && name == "deliveries":
		var all []any
		for _, n := range strings.Split(value, ",") {
			all = append(all, number(n))
		}
		fields[name] = all
	case assigned:
		if fields[name] = any(value); isNumber(value) && name != "text" {
			fields[name] = number(value)
		}
	case w == "ok" || w == "fail" || w == "info":
		fields["outcome"] = w
	case w == "committed":
		fields["isolation"] = w
	case w == "commit" || w == "requireStable" || w == "absent":
		fields[w] = true
	case w == "eager" || w == "cooperative" || w == "consumer":
		fields["rules"] = w
	case w == "earliest" || w == "maxTimestamp":
		fields["spec"] = w
	case w[0] == '@':
		from, to, _ := strings.Cut(w[1:], "-")
		fields["invoke"], fields["return"] = number(from), number(to)
	case strings.Contains(w, "/"):
		for k, v := range placeOf(w) {
			fields[k] = v
		}
	case strings.Contains(w, ":"):
		offset, value, _ := strings.Cut(w, ":")
		record := []any{number(offset)}
		if value != "" {
			record = append(record, value)
		}
		all, _ := fields["records"].([]any)
		fields["records"] = append(all, record)
	case strings.Contains(w, "#"):
		fields["value"] = w
	default:
		panic("no word of a story: " + w)
	}
}

func placeOf(s string) map[string]any {
	topic, partition, _ := strings.Cut(s, "/")
	return map[string]any{"topic": topic, "partition": number(partition)}
}

func isNumber(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// verdicts are the checks that found something, each once, in their order.
func verdicts(found []Violation) (names []string) {
	for _, v := range found {
		if len(names) == 0 || names[len(names)-1] != v.Check {
			names = append(names, v.Check)
		}
	}
	return names
}
