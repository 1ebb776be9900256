package report

import (
	"math"
	"slices"

	"github.com/odradek/odradek/bench/measure"
)

// Shelf is sessions in the order in which they were.
type Shelf []*Book

// results leaves out the sessions that were only to see that everything works.
func results(books []*Book) (s Shelf) {
	for _, b := range books {
		if !b.Short {
			s = append(s, b)
		}
	}
	return s
}

// of are the runs of a load on a system that have figures, by round.
func (b *Book) of(system, workload string) map[int]*Run {
	runs := make(map[int]*Run)
	for i := range b.Runs {
		if r := &b.Runs[i]; r.System == system && r.Workload == workload && r.Failed == "" {
			runs[r.Round] = r
		}
	}
	return runs
}

// sample are the values of a metric, one a round, without rounds that do not have it.
func (b *Book) sample(system, workload string, m metric) (values []float64) {
	runs := b.of(system, workload)
	for round := 1; round <= b.Rounds; round++ {
		if r := runs[round]; r != nil {
			if v := m(r); !math.IsNaN(v) && !math.IsInf(v, 0) {
				values = append(values, v)
			}
		}
	}
	return values
}

// point is what a ratio is made of: a metric of a load on a system.
type point struct {
	system, workload string
	metric           metric
}

// ratios are those of two points, pair by pair: each of one round.
func (b *Book) ratios(over, under point) (values []float64) {
	o, u := b.of(over.system, over.workload), b.of(under.system, under.workload)
	for round := 1; round <= b.Rounds; round++ {
		if o[round] == nil || u[round] == nil {
			continue
		}
		if v := over.metric(o[round]) / under.metric(u[round]); !math.IsNaN(v) && !math.IsInf(v, 0) {
			values = append(values, v)
		}
	}
	return values
}

// spread is a sample in three numbers.
type spread struct {
	low, median, high float64
	n                 int
}

func spreadOf(sample []float64) spread {
	if len(sample) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN(), 0}
	}
	return spread{slices.Min(sample), measure.Median(sample), slices.Max(sample), len(sample)}
}

// metric is one number of a run, NaN if the run does not have it.
type metric func(*Run) float64

// ofLoad is a metric of runs of a load, which have a Cost.
func ofLoad(m func(*Run) float64) metric {
	return func(r *Run) float64 {
		if r.Load == nil || r.Cost == nil {
			return math.NaN()
		}
		return m(r)
	}
}

func ofStart(m func(*Start) float64) metric {
	return func(r *Run) float64 {
		if r.Start == nil {
			return math.NaN()
		}
		return m(r.Start)
	}
}

// positive is n, or NaN if there was nothing to count.
func positive(n int64) float64 {
	if n <= 0 {
		return math.NaN()
	}
	return float64(n)
}

// The metrics. Units are those of the pages: MB are a million bytes, GB a thousand of those.
var (
	megabytes = ofLoad(func(r *Run) float64 { return float64(r.Load.Bytes) / r.Load.Seconds / 1e6 })
	records   = ofLoad(func(r *Run) float64 { return float64(r.Load.Records) / r.Load.Seconds })
	requests  = ofLoad(func(r *Run) float64 { return positive(r.Load.Requests) / r.Load.Seconds })
	p50       = ofLoad(func(r *Run) float64 { return positive(r.Load.Latency.P50) / 1000 })
	p99       = ofLoad(func(r *Run) float64 { return positive(r.Load.Latency.P99) / 1000 })
	perGB     = ofLoad(func(r *Run) float64 { return r.Cost.CPU() / (positive(r.Load.Bytes) / 1e9) })
	// perRequest is processor time in microseconds.
	perRequest = ofLoad(func(r *Run) float64 { return r.Cost.CPU() / positive(r.Load.Requests) * 1e6 })
	clientGB   = ofLoad(func(r *Run) float64 { return r.Load.CPU / (positive(r.Load.Bytes) / 1e9) })
	peak       = ofLoad(func(r *Run) float64 { return positive(r.Cost.Memory.Peak) / (1 << 20) })
	written    = ofLoad(func(r *Run) float64 {
		if r.Cost.Device == nil {
			return math.NaN()
		}
		return float64(*r.Cost.Device) / positive(r.Load.Bytes)
	})
	switches    = ofLoad(func(r *Run) float64 { return float64(r.Cost.During.Switches) / positive(r.Load.Requests) })
	allocations = ofLoad(func(r *Run) float64 {
		if r.Cost.Heap == nil {
			return math.NaN()
		}
		return float64(r.Cost.Heap.Objects) / positive(r.Load.Requests)
	})
	calls = func(r *Run) float64 {
		if r.Calls == nil {
			return math.NaN()
		}
		return float64(r.Calls.Calls) / positive(r.Calls.Requests)
	}

	answers = ofStart(func(s *Start) float64 { return s.Answers * 1000 })
	first   = ofStart(func(s *Start) float64 { return s.First * 1000 })
	starts  = ofStart(func(s *Start) float64 { return s.CPU })
	idle    = ofStart(func(s *Start) float64 { return positive(s.Resident) / (1 << 20) })
)

// more is the 99th percentile of another latency that a load tells.
func more(name string) metric {
	return ofLoad(func(r *Run) float64 { return positive(r.Load.More[name].P99) / 1000 })
}
