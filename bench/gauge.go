package main

import (
	"context"
	"time"

	"github.com/odradek/odradek/bench/measure"
	"github.com/odradek/odradek/bench/report"
	"github.com/odradek/odradek/bench/system"
)

// gauge measures a system around a load.
type gauge struct {
	disk  *measure.Disk // nil if its bytes are not counted
	calls bool          // count system calls; the load is not worth timing then

	cost    report.Cost
	counted *report.Calls

	pids    []int
	admins  []string
	usage   measure.Usage
	machine measure.Machine
	heap    measure.Heap
	asking  measure.Heap // what asking for it allocates
	written int64
	watch   *measure.Watch
	counter *measure.Calls
}

// ready looks before the load, when nothing is left to do of what was before.
func (g *gauge) ready(ctx context.Context, r *system.Running) (err error) {
	g.pids, g.admins = r.PIDs(), r.Admins()
	if err := g.rest(ctx); err != nil {
		return err
	}
	if g.calls {
		g.counter, err = measure.CountCalls(ctx, g.pids...)
		return err
	}
	if g.disk != nil {
		if g.written, err = g.disk.Written(); err != nil {
			return err
		}
	}
	if len(g.admins) > 0 {
		if g.heap, g.asking, err = measure.HeapOf(ctx, g.admins...); err != nil {
			return err
		}
	}
	if g.cost.Before, err = measure.Resident(g.pids...); err != nil {
		return err
	}
	if g.machine, err = measure.Now(); err != nil {
		return err
	}
	g.watch = measure.NewWatch(100*time.Millisecond, g.pids...)
	g.usage, err = measure.Of(g.pids...)
	return err
}

// ran looks after the load, and again when the system has done what was left.
func (g *gauge) ran(ctx context.Context) error {
	if g.counter != nil {
		n, err := g.counter.End()
		g.counted = &report.Calls{By: g.counter.By, Calls: n}
		return err
	}
	end, err := measure.Of(g.pids...)
	g.cost.Memory = g.watch.End()
	if err != nil {
		return err
	}
	g.cost.During = end.Since(g.usage)
	if len(g.admins) > 0 {
		heap, _, err := measure.HeapOf(ctx, g.admins...)
		if err != nil {
			return err
		}
		used := heap.Since(g.heap).Less(2, g.asking)
		g.cost.Heap = &used
	}
	if err := g.rest(ctx); err != nil {
		return err
	}
	after, err := measure.Of(g.pids...)
	if err != nil {
		return err
	}
	g.cost.After = after.Since(end)
	if g.disk != nil {
		written, err := g.disk.Written()
		if err != nil {
			return err
		}
		written -= g.written
		g.cost.Device = &written
	}
	machine, err := measure.Now()
	g.cost.Busy = machine.Since(g.machine)
	return err
}

// rest waits until the system has nothing to do, or for as long as it may.
func (g *gauge) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	_, err := measure.Quiet(ctx, g.pids...)
	return err
}
