package chaos

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/cluster"
	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/sim/check"
)

var nemesisFor = flag.Duration("nemesis", 0, "how long TestNemesis lets all faults loose")

// All faults that this machine can do are let loose, several at a time, while producers
// write; in the end everything is whole and what was acknowledged is there.
func TestNemesis(t *testing.T) {
	if *nemesisFor == 0 {
		t.Skip("asked for with -nemesis=1m; what needs root or strace is left out where they are not")
	}
	r := startRig(t, Config{MetadataApart: true, Settings: []string{"odradek.scrub.interval.ms=1000", "odradek.scrub.bytes.per.second=0"}})
	t.Log(r)
	makeTopic(t, r, cutPartitions, cutTopic)
	p := newPromises(t, r, 3)
	m := &Nemesis{Rig: r, Rand: r.Rand(2), Targets: append(Targets(), LeaderOf(cutTopic, 0)), Shortest: time.Second, Longest: 5 * time.Second,
		Happened: func(e Event) {
			t.Logf("%s %s %s on %v %s", e.Kind, e.Fault, e.Target, e.Nodes, e.Detail)
		}}
	ctx, cancel := context.WithTimeout(t.Context(), *nemesisFor)
	defer cancel()
	try(t, m.Run(ctx))
	p.await(t, 100)
	p.end(t)
	n, wrong := p.readBack(t, r)
	report(t, wrong)
	for _, v := range check.All(p.told.History(), check.Options{}) {
		t.Error(v)
	}
	t.Logf("%d records acknowledged, none lost, moved or doubled: %v", n, m.Tally())
}

// A seed draws the same faults on the same nodes each time, and another seed others; a
// quarter of the rounds are quiet; what must be alone is, and what is for a minority hits
// no majority; all is undone.
func TestNemesisDraws(t *testing.T) {
	run := func(seed uint64) (told []string) {
		bubble.Test(t, func(t *testing.T) {
			done := make(map[string]int)
			fault := func(name string) Fault {
				return Fault{Name: name, do: func(_ context.Context, _ *Rig, h *Harm) error {
					done[name]++
					h.later(func(context.Context) error { done[name]--; return nil })
					return nil
				}}
			}
			few := fault("few")
			few.Minority = true
			r := &Rig{Config: Config{Log: slog.New(slog.DiscardHandler)}}
			for i := range 5 {
				r.Nodes = append(r.Nodes, &Node{Node: &cluster.Node{ID: int32(i + 1)}, rig: r, excused: true})
			}
			rounds := 0
			m := &Nemesis{Rig: r, Rand: r.Rand(seed), Faults: []Fault{fault("one"), fault("two"), few}, Targets: []Target{One, Minority, Majority, All},
				Happened: func(e Event) {
					if e.Fault == "few" && len(e.Nodes) > 2 {
						t.Errorf("%v of 5 nodes are hit by what is for a minority", e.Nodes)
					}
					told = append(told, fmt.Sprint(e.Kind, e.Fault, e.Target, e.Nodes))
				}}
			m.defaults()
			quiet := 0
			for range 200 {
				before := len(told)
				try(t, m.round(t.Context()))
				rounds++
				if len(told) == before {
					quiet++
				}
			}
			if quiet < 30 || quiet > 70 {
				t.Errorf("%d of 200 rounds were quiet", quiet)
			}
			if left := slices.Collect(maps.Values(done)); slices.Max(left) != 0 || slices.Min(left) != 0 {
				t.Errorf("not all is undone: %v", done)
			}
			if tally := m.Tally(); tally["one"] == 0 || tally["two"] == 0 || tally["few"] == 0 {
				t.Errorf("the tally is %v", tally)
			}
		})
		return told
	}
	one, again, other := run(1), run(1), run(2)
	if !slices.Equal(one, again) {
		t.Error("a seed does something else the second time")
	}
	if strings.Join(one, "") == strings.Join(other, "") {
		t.Error("two seeds do the same")
	}
}

// What must be alone is drawn alone.
func TestAlone(t *testing.T) {
	r := &Rig{}
	m := &Nemesis{Rig: r, Rand: r.Rand(1), Faults: []Fault{{Name: "alone", Alone: true}, {Name: "a"}, {Name: "b"}}}
	seen := 0
	for range 1000 {
		faults := m.draw()
		for _, f := range faults {
			if f.Alone {
				seen++
				if len(faults) > 1 {
					t.Fatalf("drawn beside others: %v", faults)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("never drawn")
	}
}
