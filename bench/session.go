package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/odradek/odradek/bench/ballast"
	"github.com/odradek/odradek/bench/load"
	"github.com/odradek/odradek/bench/measure"
	"github.com/odradek/odradek/bench/report"
	"github.com/odradek/odradek/bench/system"
	"github.com/odradek/odradek/conformance/figures"
)

// session is one call of the command.
type session struct {
	options
	info    report.Session
	systems []*system.System
	floors  []string // as what the kernel is measured, too
	work    string   // folder for everything, removed in the end
	loads   string   // the binary that makes load
	disk    *measure.Disk
	full    *ballast.Ballast // nil without
	made    int              // folders
	runs    []report.Run
}

// newSession builds what is run, and finds out what it is run on.
func newSession(o options) (*session, error) {
	work, err := os.MkdirTemp(o.dir, "odradek-peers-")
	if err != nil {
		return nil, err
	}
	s := &session{options: o, work: work, loads: filepath.Join(work, "load")}
	s.info = report.Session{
		ID:      time.Now().UTC().Format("2006-01-02T15:04:05Z"),
		Command: command(),
		Rounds:  o.rounds, Short: o.short, Rates: make(map[string]float64),
	}
	if s.disk, err = measure.DiskOf(work); err != nil {
		say("bytes of the disk are not counted: %v", err)
	}
	if err := errors.Join(build(s.loads, "load"), s.prepare()); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if o.ballast {
		say("the memory is being filled")
		if s.full, err = ballast.Lay(work); err != nil {
			say("the first touch of a page counts: %v", err)
		}
	}
	s.info.Machine = machine(work)
	s.info.Machine.Full = s.full != nil
	s.info.Machine.Go, s.info.Machine.Java = runtime.Version(), system.Java()
	return s, nil
}

// command is how the session was begun, without folders, which differ from machine to machine.
func command() string {
	words := []string{"go run ./bench"}
	flag.Visit(func(f *flag.Flag) {
		if f.Name != "out" && f.Name != "dir" && f.Value.String() != "" {
			words = append(words, "-"+f.Name+"="+f.Value.String())
		}
	})
	return strings.Join(words, " ")
}

// build makes one of the commands beside this one.
func build(binary, name string) error {
	out, err := exec.Command("go", "build", "-o", binary, "github.com/odradek/odradek/bench/"+name+"/cmd").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return nil
}

func (s *session) close() error {
	var err error
	if s.full != nil {
		err = s.full.Drop()
	}
	return errors.Join(err, os.RemoveAll(s.work))
}

// prepare builds or finds the systems that were asked for. Those that are not here are left out.
func (s *session) prepare() error {
	heap := s.heap
	if heap == 0 {
		heap = system.DefaultHeap
	}
	known := map[string]func() (*system.System, error){
		"odradek":     func() (*system.System, error) { return system.Odradek(s.work) },
		"kafka":       func() (*system.System, error) { return system.Kafka(heap) },
		"kafka-flush": func() (*system.System, error) { return system.KafkaFlush(heap) },
		"nats":        func() (*system.System, error) { return system.NATS(s.work) },
	}
	for name := range strings.SplitSeq(s.options.systems, ",") {
		if i := slices.IndexFunc(floors, func(f report.System) bool { return f.Name == name }); i >= 0 {
			s.floors = append(s.floors, name)
			s.info.Systems = append(s.info.Systems, floors[i])
			continue
		}
		make := known[name]
		if make == nil {
			return fmt.Errorf("there is no system %q: %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		sys, err := make()
		if err != nil {
			say("LEFT OUT: %s: %v", name, err)
			continue
		}
		s.systems = append(s.systems, sys)
		s.info.Systems = append(s.info.Systems, report.System{Name: sys.Name, Title: sys.Title, Version: sys.Version, About: sys.About})
	}
	if len(s.floors) > 0 {
		if err := build(filepath.Join(s.work, "floor"), "floor"); err != nil {
			return err
		}
	}
	if len(s.systems) == 0 {
		return errors.New("nothing can be started")
	}
	return nil
}

// all does the rounds.
func (s *session) all(ctx context.Context, list []workload) error {
	if err := s.pace(ctx, list); err != nil {
		return err
	}
	if err := s.write(report.Line{Session: &s.info}); err != nil {
		return err
	}
	for round := 1; round <= s.rounds; round++ {
		for _, floor := range s.floors {
			if err := s.ground(ctx, round, floor, list); err != nil {
				return err
			}
		}
		for _, sys := range s.systems {
			for _, nodes := range []int{1, 3} {
				some := slices.DeleteFunc(slices.Clone(list), func(w workload) bool { return w.Nodes != nodes || !s.does(sys, w) })
				if err := s.turn(ctx, round, sys, nodes, some); err != nil {
					return err
				}
			}
		}
	}
	if s.short {
		return s.limits()
	}
	return nil
}

// does tells whether a workload says something of a system.
func (s *session) does(sys *system.System, w workload) bool {
	if w.starts {
		return sys.Load == "" && sys.Name != "kafka-flush" // which starts as Kafka does
	}
	return sys.Does(w.Named)
}

// record keeps a run, and says so.
func (s *session) record(r report.Run) error {
	s.runs = append(s.runs, r)
	say("%d  %-12s %-24s %s", r.Round, r.System, r.Workload, report.Brief(r))
	return s.write(report.Line{Run: &r})
}

func (s *session) write(l report.Line) error { return figures.Add(s.out, l) }

// folder is a new name in the working folder.
func (s *session) folder(name string) string {
	s.made++
	return filepath.Join(s.work, fmt.Sprintf("%s-%d", name, s.made))
}

// spec is what a load is asked to do here.
func (s *session) spec(l load.Named) load.Spec {
	spec := l.Spec
	if rate := s.info.Rates[l.Name]; rate > 0 {
		spec.Rate = rate
	}
	if s.seconds > 0 && spec.Seconds > 0 {
		spec.Seconds = s.seconds
	}
	if s.short {
		small(&spec)
	}
	return spec
}

// small makes a load last a second or two.
func small(spec *load.Spec) {
	const bytes, records = 64 << 20, 50_000
	spec.Seconds = min(spec.Seconds, 2)
	spec.Warmup = min(spec.Warmup, 1)
	if spec.Bytes > 0 {
		spec.Bytes = min(spec.Bytes, bytes)
	}
	if spec.Records > 0 {
		spec.Records = min(spec.Records, records)
	}
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
