//go:build failpoint && synctests

package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/failpoint"
)

var (
	somePoints = flag.String("points", "", "only failpoints whose names contain this")
	pointSeeds = flag.Int("point-seeds", 1, "how many clusters are crashed at each failpoint")
	pointFirst = flag.Uint64("point-first", 1, "the seed of the first of them")
	pointLines = flag.String("point-totals", "", "a file to which one line of JSON is appended whenever all failpoints were crashed once more")
)

// Wherever a node loses its power while something becomes durable, what was acknowledged
// is there afterwards, all replicas agree and the cluster lives. A point that is not
// reached is an error: nothing is known of it.
func TestFailpoints(t *testing.T) {
	sum := sweep{Crashes: map[string]int{}, Unhit: []string{}, Failures: []string{}}
	expected := map[string]map[string]int{}
	for i := range uint64(*pointSeeds) { // all points once, then all again: who stops early has seen each
		for _, point := range failpoint.Names() {
			if !strings.Contains(point, *somePoints) {
				continue
			}
			seed, what := *pointFirst+i, choose(point)
			if expected[what.String()] == nil {
				expected[what.String()] = measure(t, what)
			}
			var came outcome
			ok := t.Run(fmt.Sprintf("%s/seed=%d", point, seed), func(t *testing.T) {
				want := draw(seed, point, expected[what.String()])
				bubble.Test(t, func(t *testing.T) { through(t, seed, what, want, &came) })
			})
			sum.add(point, came.crashed)
			if !ok {
				sum.Failures = append(sum.Failures, fmt.Sprintf("%s seed %d", point, seed))
				t.Logf("to repeat: go test -tags synctests,failpoint,planted ./sim -run TestFailpoints -points %s -point-first %d", point, seed)
			}
		}
		sum.tell(t)
	}
	for point, n := range sum.Crashes {
		if n == 0 {
			t.Errorf("%s was never reached", point)
		}
	}
	fmt.Printf("%s\n", sum.line())
}

// sweep is what came of it.
type sweep struct {
	Points   int            `json:"points"`
	Runs     int            `json:"runs"`
	Crashed  int            `json:"crashed"`
	Fewest   int            `json:"fewest"` // crashes at any one point
	Unhit    []string       `json:"unhit"`
	Failures []string       `json:"failures"`
	Crashes  map[string]int `json:"-"` // by point
}

func (s *sweep) add(point string, crashed bool) {
	s.Runs++
	n := s.Crashes[point]
	if crashed {
		n++
		s.Crashed++
	}
	s.Crashes[point] = n
}

func (s *sweep) line() []byte {
	s.Points, s.Fewest, s.Unhit = len(s.Crashes), s.Runs, []string{}
	for _, point := range slices.Sorted(maps.Keys(s.Crashes)) {
		n := s.Crashes[point]
		if s.Fewest = min(s.Fewest, n); n == 0 {
			s.Unhit = append(s.Unhit, point)
		}
	}
	line, _ := json.Marshal(s)
	return line
}

// tell lets somebody follow a long sweep.
func (s *sweep) tell(t *testing.T) {
	if *pointLines == "" {
		return
	}
	f, err := os.OpenFile(*pointLines, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "%s\n", s.line())
}

// measure lives through chapters without a crash, and tells how often each point was hit.
func measure(t *testing.T, what chapters) map[string]int {
	before, came := hits(), outcome{}
	t.Run("measure "+what.String(), func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) { through(t, 1, what, crash{}, &came) })
	})
	for name := range came.hits {
		came.hits[name] -= before[name]
	}
	return came.hits
}

func hits() map[string]int {
	all := map[string]int{}
	for _, name := range failpoint.Names() {
		all[name] = failpoint.Hits(name)
	}
	return all
}

// crash is where a node is to lose its power: at a hit of a point, and, where only what a
// crash has left leads there, at a hit of another one before.
type crash struct {
	point  string
	at     int
	lead   string
	leadAt int
	all    bool // every other node loses its power, too
}

// draw draws where to crash, by how often points are hit.
func draw(seed uint64, point string, expected map[string]int) crash {
	rng := rand.New(rand.NewPCG(seed, 41))
	want := crash{point: point, at: hitFor(rng, expected[point]), all: rng.IntN(3) == 0}
	if lead := leads[point]; lead != "" {
		want.lead, want.leadAt, want.at = lead, hitFor(rng, expected[lead]), 1
	}
	return want
}

// hitFor draws at which hit to crash: the first ones are often the special ones.
func hitFor(rng *rand.Rand, expected int) int {
	few := min(expected, 5)
	if few > 0 && rng.IntN(3) == 0 {
		return 1 + rng.IntN(few)
	}
	return 1 + rng.IntN(max(1, expected*3/4))
}

// chapters are what a cluster lives through, by their names.
type chapters []string

func (c chapters) String() string { return strings.Join(c, "+") }

// needs are the chapters without which a point is not reached, by the beginnings of names;
// the longest counts.
var needs = map[string]chapters{
	"":                   {"restart"},
	"commitlog.clean":    {"compact"},
	"commitlog.compact":  {"compact"},
	"commitlog.swap":     {"compact"},
	"commitlog.retain":   {"trim"},
	"commitlog.restart":  {"trim", "restart"},
	"commitlog.drop":     {"isolate"},
	"commitlog.index":    {"fill", "restart"},
	"commitlog.roll":     {"fill"},
	"commitlog.sync":     {"fill"},
	"journal.file":       {"fill"},
	"commitlog.truncate": {"isolate"},
	"commitlog.delete":   {"trim", "isolate"},
	"commitlog.snapshot": {"fill", "isolate"},
	"commitlog.txnindex": {"txns", "restart"},
	"commitlog.open":     {"compact", "restart"},
	"delivery":           {"share"},
	"group":              {"txns"},
	"host.discard":       {"fleeting"},
	"host.move":          {"move"},
	"host.records":       {"trim"},
	"journal.mark":       {"isolate", "fleeting"},
	"partition.cut":      {"isolate"},
	"partition.restart":  {"trim"},
	"partition.rehome":   {"move"},
	"quorum":             {"decide", "restart"},
	"quorum.install":     {"behind"},
	"share":              {"share"},
	"txn":                {"txns"},
	"partition.append":   {"reassign"},
	"partition.fetch":    {"reassign"},
	"commitlog.recover":  {"fill", "restart"},
	"commitlog.replay":   {"fill", "restart"},
}

// choose tells which chapters reach a point.
func choose(point string) chapters {
	best := ""
	for _, prefix := range slices.Sorted(maps.Keys(needs)) {
		if strings.HasPrefix(point, prefix) && len(prefix) > len(best) {
			best = prefix
		}
	}
	return needs[best]
}

// leads are points at which a node must have crashed before another is reached: what it
// left is found by its next process.
var leads = map[string]string{
	"commitlog.swap.finish":          "commitlog.swap.after_commit",
	"commitlog.swap.after_finish":    "commitlog.swap.after_commit",
	"commitlog.open.before_remove":   "commitlog.clean.after_sync",
	"commitlog.recover.before_cut":   "journal.commit.before_sync",
	"commitlog.recover.after_cut":    "journal.commit.before_sync",
	"commitlog.replay.before_append": "commitlog.sync.before_data",
	"commitlog.replay.after_append":  "commitlog.sync.before_data",
	"host.move.before_remove":        "host.move.copied",
	"quorum.torn.before_cut":         "quorum.append.before_sync",
	"quorum.torn.before_sync":        "quorum.append.before_sync",
}
