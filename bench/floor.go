package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/odradek/odradek/bench/floor"
	"github.com/odradek/odradek/bench/load"
	"github.com/odradek/odradek/bench/measure"
	"github.com/odradek/odradek/bench/report"
)

// floors are what stands for the kernel among the systems.
var floors = []report.System{
	{Name: "floor", Title: "The kernel alone",
		About: "a server of a few lines that receives, sums, appends and answers, or reads and sends, and knows nothing of Kafka: what no broker can go below (bench/floor)"},
	{Name: durableFloor, Title: "The kernel alone, durable",
		About: "the same, with one fdatasync before what was received together is answered: what a server pays that does nothing clever to be durable"},
}

// durableFloor only produces.
const durableFloor = "floor-durable"

// floorOp is what the floor does where a broker does a load, if it can.
func floorOp(spec load.Spec) (op string, ok bool) {
	switch {
	case spec.Kind == load.RawPing:
		return floor.Ping, true
	case spec.Batch < 16<<10:
		return "", false // a batch for many partitions, or one of a single record
	case spec.Kind == load.RawProduce:
		return floor.Produce, true
	case spec.Kind == load.RawFetch:
		return floor.Fetch, true
	}
	return "", false
}

// ground has the kernel do what it can of the workloads.
func (s *session) ground(ctx context.Context, round int, system string, list []workload) error {
	for _, w := range list {
		spec := s.spec(w.Named)
		op, ok := floorOp(spec)
		if !ok || w.starts || w.Nodes != 1 || system == durableFloor && op != floor.Produce {
			continue
		}
		run := report.Run{Session: s.info.ID, Round: round, System: system, Workload: w.Name}
		var err error
		if run.Load, run.Cost, err = s.floor(ctx, op, system == durableFloor, spec); err != nil {
			run.Failed = reason(err)
		}
		if err := errors.Join(ctx.Err(), s.record(run)); err != nil {
			return err
		}
	}
	return nil
}

// floor runs the command that drives the kernel and measures it.
func (s *session) floor(ctx context.Context, op string, durable bool, spec load.Spec) (*load.Result, *report.Cost, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	args := []string{"-op", op, "-dir", s.work, "-in-flight", strconv.Itoa(max(1, spec.InFlight)), "-burst", strconv.Itoa(max(1, spec.Burst))}
	if op != floor.Ping {
		args = append(args, "-batch", strconv.Itoa(spec.Batch), "-bytes", strconv.FormatInt(max(spec.Bytes, 64<<20), 10))
	}
	if durable {
		args = append(args, "-durable")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.work, "floor"), args...)
	var words tail
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s", err, words.String())
	}
	var f floor.Result
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&f); err != nil {
		return nil, nil, fmt.Errorf("the floor said %q: %w", out, err)
	}
	result := &load.Result{
		Load: spec.Load, Spec: spec, Records: f.Requests, Requests: f.Requests, Bytes: f.Bytes, Seconds: f.Seconds, CPU: f.ClientCPU,
		Latency: load.Latency{Count: f.Requests, P50: f.P50, P99: f.P99}, Errors: []string{},
	}
	return result, &report.Cost{During: measure.Usage{UserSeconds: f.User, SystemSeconds: f.System, Switches: f.Voluntary}}, nil
}
