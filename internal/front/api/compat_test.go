package api

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/proto/wire"
)

var update = flag.Bool("update", false, "write what is generated instead of comparing it")

// compatibilityPage has the table of requests between two marks; the rest of it is
// written by hand.
const (
	compatibilityPage = "../../../docs/COMPATIBILITY.md"
	beginRequests     = "<!-- begin requests: go test ./internal/front/api -run TestCompatibilityPage -update -->\n"
	endRequests       = "<!-- end requests -->\n"
)

// kafka42 are the requests on a broker's client listener in Kafka 4.2 and their
// versions, and why those that are not served here are not.
var kafka42 = []struct {
	key, min, max int16
	missing       string
}{
	{0, 0, 13, ""}, {1, 4, 18, ""}, {2, 1, 11, ""}, {3, 0, 13, ""}, {8, 2, 10, ""}, {9, 1, 10, ""}, {10, 0, 6, ""},
	{11, 0, 9, ""}, {12, 0, 4, ""}, {13, 0, 5, ""}, {14, 0, 5, ""}, {15, 0, 6, ""}, {16, 0, 5, ""}, {17, 0, 1, ""},
	{18, 0, 4, ""}, {19, 2, 7, ""}, {20, 1, 6, ""}, {21, 0, 2, ""}, {22, 0, 5, ""}, {23, 2, 4, ""},
	{24, 0, 5, ""}, {25, 0, 4, ""}, {26, 0, 5, ""}, {27, 1, 2, ""}, {28, 0, 5, ""},
	{29, 1, 3, "ACLs"}, {30, 1, 3, "ACLs"}, {31, 1, 3, "ACLs"},
	{32, 1, 4, ""}, {33, 0, 2, ""}, {34, 1, 2, ""}, {35, 1, 4, ""}, {36, 0, 2, ""}, {37, 0, 3, ""},
	{38, 1, 3, "delegation tokens"}, {39, 1, 2, "delegation tokens"}, {40, 1, 2, "delegation tokens"}, {41, 1, 3, "delegation tokens"},
	{42, 0, 2, ""}, {43, 0, 2, ""}, {44, 0, 1, ""}, {45, 0, 1, ""}, {46, 0, 0, ""}, {47, 0, 0, ""},
	{48, 0, 1, "quotas"}, {49, 0, 1, "quotas"}, {50, 0, 0, "SCRAM"}, {51, 0, 0, "SCRAM"},
	{55, 0, 2, ""}, {57, 0, 2, ""}, {60, 0, 2, ""}, {61, 0, 0, ""}, {64, 0, 0, ""},
	{65, 0, 0, ""}, {66, 0, 2, ""},
	{68, 0, 1, ""}, {69, 0, 1, ""},
	{71, 0, 0, "client telemetry"}, {72, 0, 0, "client telemetry"},
	{74, 0, 1, ""}, {75, 0, 0, ""},
	{76, 1, 1, ""}, {77, 1, 1, ""}, {78, 1, 2, ""}, {79, 1, 2, ""},
	{80, 0, 1, ""}, {81, 0, 0, ""},
	{83, 0, 0, ""}, {84, 0, 0, ""}, {85, 0, 1, ""}, {86, 0, 0, ""}, {87, 0, 1, ""},
	{88, 0, 0, "streams groups"}, {89, 0, 0, "streams groups"},
	{90, 0, 1, ""}, {91, 0, 0, ""}, {92, 0, 0, ""},
}

// kafka42Controllers are the requests that Kafka 4.2 serves on controller listeners alone,
// as far as they are served here: nodes speak of votes, fetches of the metadata and
// envelopes in a protocol of their own.
var kafka42Controllers = []struct{ key, min, max int16 }{
	{56, 2, 3}, {62, 0, 4}, {63, 0, 1}, {67, 0, 0}, {70, 0, 0}, {73, 0, 0},
}

// Every request is served in all of Kafka's versions or not at all, is known to the
// line's schemas, and stands in the table once.
func TestTableCoversKafka(t *testing.T) {
	want := map[int16]int{}
	for i, k := range kafka42 {
		want[k.key] = i
	}
	internal := map[int16]int{}
	for i, k := range kafka42Controllers {
		internal[k.key] = i
	}
	seen := map[int16]bool{}
	last := int16(-1)
	for _, a := range Table() {
		i, ok := want[a.Key]
		n, controllers := internal[a.Key]
		switch {
		case a.Key <= last:
			t.Errorf("%s is out of order", a.Name())
		case controllers:
			if k := kafka42Controllers[n]; a.On != OnControllers || a.to != toController || a.Min != k.min || a.Max != k.max {
				t.Errorf("%s is the controller's alone, in %d–%d", a.Name(), k.min, k.max)
			}
		case !ok:
			t.Errorf("%s is not one of Kafka's", a.Name())
		case kafka42[i].missing != "":
			t.Errorf("%s is served but said to be missing", a.Name())
		case a.Min != kafka42[i].min || a.Max != kafka42[i].max:
			t.Errorf("%s is served in %d–%d, Kafka's are %d–%d", a.Name(), a.Min, a.Max, kafka42[i].min, kafka42[i].max)
		case (a.serve == nil) == (a.handle == nil):
			t.Errorf("%s needs one of serve and handle", a.Name())
		}
		for v := max(a.Min, a.Floor); v <= a.Max; v++ {
			if s, ok := wire.Lookup(a.Key); !ok || !s.Supports(v) {
				t.Errorf("%s v%d would not pass the line's guard", a.Name(), v)
			}
		}
		last, seen[a.Key] = a.Key, true
	}
	for _, k := range kafka42 {
		if k.missing == "" && !seen[k.key] {
			t.Errorf("key %d is not served", k.key)
		}
	}
}

// The page tells what the table does.
func TestCompatibilityPage(t *testing.T) {
	page, err := os.ReadFile(compatibilityPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(page), beginRequests)
	_, after, ok2 := strings.Cut(rest, endRequests)
	if !ok1 || !ok2 {
		t.Fatalf("%s has lost its marks", compatibilityPage)
	}
	now := before + beginRequests + requestTable() + endRequests + after
	if now == string(page) {
		return
	}
	if !*update {
		t.Fatal("docs/COMPATIBILITY.md is not current: go test ./internal/front/api -run TestCompatibilityPage -update")
	}
	if err := os.WriteFile(compatibilityPage, []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
}

func requestTable() string {
	var b strings.Builder
	b.WriteString("| key | request | Kafka 4.2 | here |\n| ---: | --- | --- | --- |\n")
	served := map[int16]*API{}
	for _, a := range Table() {
		served[a.Key] = &a
	}
	row := func(key, min, max int16, here string) {
		fmt.Fprintf(&b, "| %d | %s | %s | %s |\n", key, (&API{Key: key}).Name(), versions(min, max), here)
	}
	for _, k := range kafka42 {
		a, ok := served[k.key]
		here := "no: " + k.missing
		if ok {
			here = versions(a.Min, a.Max)
			if a.Floor > a.Min {
				here += fmt.Sprintf(" (below %d advertised, not answered, as in Kafka)", a.Floor)
			}
		}
		row(k.key, k.min, k.max, here)
	}
	for _, k := range kafka42Controllers {
		if a, ok := served[k.key]; ok {
			row(k.key, k.min, k.max, versions(a.Min, a.Max)+" (controller listeners)")
		}
	}
	return b.String()
}

func versions(lo, hi int16) string {
	if lo == hi {
		return fmt.Sprint(lo)
	}
	return fmt.Sprintf("%d–%d", lo, hi)
}
