package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/bench/load"
	"github.com/odradek/odradek/bench/measure"
	"github.com/odradek/odradek/bench/report"
	"github.com/odradek/odradek/bench/system"
)

func TestChoice(t *testing.T) {
	all, err := choose("")
	if err != nil || len(all) != len(load.Loads())+2 {
		t.Fatalf("%d loads by default (%v)", len(all), err)
	}
	last := 0
	for _, w := range all {
		at := w.Nodes*1e6 + weight(w)
		if at < last {
			t.Errorf("%s comes too late", w.Name)
		}
		last = at
	}
	some, err := choose("replicated-1k,raw-fetch-*,start-empty")
	var names []string
	for _, w := range some {
		names = append(names, w.Name)
	}
	if got := strings.Join(names, " "); err != nil || got != "start-empty raw-fetch-16k raw-fetch-64k raw-fetch-1m replicated-1k" {
		t.Errorf("chosen: %s (%v)", got, err)
	}
	if _, err := choose("produce-1k,no-such-load"); err == nil {
		t.Error("a load that there is not was chosen")
	}
	if _, err := choose(shortly); err != nil {
		t.Errorf("-short: %v", err)
	}
	for name, p := range paced {
		paced, ok1 := load.ByName(name)
		full, ok2 := load.ByName(p.full)
		if !ok1 || !ok2 || paced.Nodes != full.Nodes || p.part <= 0 || p.part > 0.5 {
			t.Errorf("%s is paced by another cluster's load", name)
		}
	}
}

func TestLimits(t *testing.T) {
	run := report.Run{Workload: "ping", Load: &load.Result{Requests: 10},
		Cost:  &report.Cost{Heap: &measure.Heap{Objects: 50}, During: measure.Usage{Read: 10, Write: 10}},
		Calls: &report.Calls{Calls: 40, Requests: 10}}
	if err := (limit{Workload: "ping", Allocations: 5, Calls: 4, IO: 2}).hold(run); err != nil {
		t.Errorf("what is within its limits: %v", err)
	}
	for _, l := range []limit{{Allocations: 4.9}, {Calls: 3.9}, {IO: 1.9}} {
		if l.hold(run) == nil {
			t.Errorf("%+v was exceeded and nothing said so", l)
		}
	}
	s := &session{runs: []report.Run{{System: "odradek", Workload: "ping", Failed: "it broke"}}}
	if s.limits() == nil {
		t.Error("a load that failed is within its limits")
	}
}

// A load that fails in any way is recorded with its reason, the next one is done all the same,
// and nothing is left behind.
func TestFailuresAreRecorded(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts processes; left out by -short")
	}
	work := t.TempDir()
	sys, err := system.Odradek(work)
	if err != nil {
		t.Fatal(err)
	}
	// The load's name says what becomes of it.
	script := `#!/bin/sh
case "$3" in
*'"raw-ping"'*) echo '{"event":"ready"}'; read x; echo '{"event":"ran"}'; read x; echo '{"load":"ping","requests":7,"seconds":1,"errors":[]}';;
*'"idle"'*) echo '{"event":"ready"}'; sleep 1000;;
*'"txn"'*) echo '{"load":"txn","errors":["two records are missing"]}';;
*) echo 'it was too much' >&2; exit 3;;
esac
`
	s := &session{options: options{patience: 10 * time.Second, out: filepath.Join(work, "out.jsonl")}, work: work,
		loads: filepath.Join(work, "load"), systems: []*system.System{sys}}
	if err := os.WriteFile(s.loads, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	list, err := choose("ping,txn-100ms,idle-5000,produce-1k")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	s.info = report.Session{ID: "now", Rounds: 2}
	if err := s.write(report.Line{Session: &s.info}); err != nil {
		t.Fatal(err)
	}
	if err := s.turn(ctx, 2, sys, 1, list); err != nil {
		t.Fatal(err)
	}
	books, err := report.Read(s.out)
	if err != nil || len(books) != 1 {
		t.Fatal(len(books), err)
	}
	want := map[string]string{"ping": "", "txn-100ms": "two records are missing", "idle-5000": "does not end", "produce-1k": "it was too much"}
	for _, r := range books[0].Runs {
		reason, ok := want[r.Workload]
		if delete(want, r.Workload); !ok || !strings.Contains(r.Failed, reason) || (reason == "") != (r.Failed == "") {
			t.Errorf("%s failed: %q, want %q", r.Workload, r.Failed, reason)
		}
		if r.Workload == "ping" && (r.Load == nil || r.Load.Requests != 7 || r.Cost == nil || r.Cost.Memory.Peak == 0) {
			t.Errorf("ping: %+v, %+v", r.Load, r.Cost)
		}
	}
	for name := range want {
		t.Errorf("%s is not recorded", name)
	}
	left, err := filepath.Glob(filepath.Join(work, "odradek-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("folders are left: %v (%v)", left, err)
	}
}
