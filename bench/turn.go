package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/odradek/odradek/bench/load"
	"github.com/odradek/odradek/bench/report"
	"github.com/odradek/odradek/bench/system"
)

// turn has one system do workloads of one size of cluster. It fails only if the session must end;
// what a system fails in is recorded.
func (s *session) turn(ctx context.Context, round int, sys *system.System, nodes int, list []workload) error {
	var loads []workload
	for _, w := range list {
		if !w.starts {
			loads = append(loads, w)
			continue
		}
		r := report.Run{Session: s.info.ID, Round: round, System: sys.Name, Workload: w.Name}
		start, err := s.start(ctx, sys, w.partitions)
		if r.Start = start; err != nil {
			r.Failed = reason(err)
		}
		if err := errors.Join(ctx.Err(), s.record(r)); err != nil {
			return err
		}
	}
	var r *system.Running
	defer func() { s.end(r) }()
	for _, w := range loads {
		run := report.Run{Session: s.info.ID, Round: round, System: sys.Name, Workload: w.Name}
		var err error
		if r == nil {
			r, err = s.warmed(ctx, sys, nodes)
		}
		if err == nil {
			err = s.measured(ctx, r, w.Named, &run)
		}
		if err != nil {
			run.Failed, run.Load, run.Cost = reason(err), nil, nil
			s.end(r) // whatever state it is in, the next load gets a new one
			r = nil
		}
		if ctx.Err() != nil {
			return ctx.Err() // a load that was cut short is no failure of the system's
		}
		if err := s.record(run); err != nil {
			return err
		}
	}
	return nil
}

// warmed starts a system and lets it work until its virtual machine, if it has one, has compiled
// what matters.
func (s *session) warmed(ctx context.Context, sys *system.System, nodes int) (*system.Running, error) {
	began := time.Now()
	starting, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	r, err := sys.Start(starting, nodes, s.folder(sys.Name))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"produce-1k", "consume-1k"} {
		l, ok := load.ByName(name)
		if !ok || s.warm <= 0 {
			continue
		}
		l.Spec.Replication, l.Spec.Seconds, l.Spec.Warmup = nodes, s.warm/2, 0
		if l.Spec.Kind == load.Consume {
			l.Spec.Seconds, l.Spec.Bytes = 0, int64(s.warm*10e6)
		}
		if _, _, err := s.drive(ctx, r, l.Spec, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("warm up: %w", err), r.Stop())
		}
	}
	say("%s, %d of it, is warm after %v", sys.Name, nodes, time.Since(began).Round(time.Second))
	return r, nil
}

func (s *session) end(r *system.Running) {
	if r == nil {
		return
	}
	if err := r.Stop(); err != nil {
		say("%s: %v", r.System.Name, err)
	}
}

// measured puts a load on a system. In the first round, a shorter one of the same kind follows if
// its requests are counted, so that system calls can be as well without being timed.
func (s *session) measured(ctx context.Context, r *system.Running, l load.Named, run *report.Run) (err error) {
	spec := s.spec(l)
	run.Load, run.Cost, err = s.drive(ctx, r, spec, &gauge{disk: s.disk})
	if err != nil || run.Round > 1 || run.Load.Requests == 0 || !isRaw(spec.Kind) {
		return err
	}
	spec.Seconds, spec.Warmup = min(spec.Seconds, 3), 1
	g := &gauge{calls: true}
	result, _, err := s.drive(ctx, r, spec, g)
	if err != nil {
		if !r.Alive() {
			return err
		}
		say("system calls of %s were not counted: %v", l.Name, err) // the figures hold all the same
		return nil
	}
	if g.counted != nil {
		run.Calls = g.counted
		run.Calls.Requests, run.Calls.Records = result.Requests, result.Records
	}
	return nil
}

func isRaw(kind string) bool {
	return kind == load.RawProduce || kind == load.RawFetch || kind == load.RawPing
}

// paced are the loads at a part of what Kafka can do, and the load that says what that is. At half
// of it, producer, consumer and broker may be more than a machine of two cores has; a quarter leaves room.
var paced = map[string]struct {
	full string
	part float64
}{
	"endtoend":            {"produce-1k", 1. / 2},
	"endtoend-quarter":    {"produce-1k", 1. / 4},
	"replicated-endtoend": {"replicated-1k", 1. / 2},
}

// pace finds the rates of loads at a fixed rate: a part of what Kafka, or the first system if Kafka is
// not there, does with the load that it is measured by.
func (s *session) pace(ctx context.Context, list []workload) error {
	sys := s.systems[0]
	if i := slices.IndexFunc(s.systems, func(sys *system.System) bool { return sys.Name == "kafka" }); i >= 0 {
		sys = s.systems[i]
	}
	top := make(map[string]float64) // records a second, by load
	for _, w := range list {
		p := paced[w.Name]
		full, ok := load.ByName(p.full)
		if !ok {
			continue
		}
		if s.rate > 0 {
			s.info.Rates[w.Name] = s.rate
			continue
		}
		if top[p.full] == 0 {
			rate, err := s.top(ctx, sys, full)
			if err != nil {
				return fmt.Errorf("find the rate of %s: %w", w.Name, err)
			}
			top[p.full] = rate
		}
		s.info.Rates[w.Name] = math.Round(top[p.full] * p.part)
		say("%s: %.0f records a second, %.2g of what %s does in %s", w.Name, s.info.Rates[w.Name], p.part, sys.Name, full.Name)
	}
	return nil
}

// top is how many records a second a system does, on its own node or nodes.
func (s *session) top(ctx context.Context, sys *system.System, full load.Named) (float64, error) {
	r, err := s.warmed(ctx, sys, full.Nodes)
	if err != nil {
		return 0, err
	}
	defer s.end(r)
	result, _, err := s.drive(ctx, r, s.spec(full), nil)
	if err != nil {
		return 0, err
	}
	return float64(result.Records) / result.Seconds, nil
}

// reason is an error as it is recorded: short, on one line.
func reason(err error) string { return report.OneLine(err.Error(), 300) }
