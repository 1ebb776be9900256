package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/odradek/odradek/bench/report"
)

//go:embed limits.json
var limitsJSON []byte

// limit is what a request of a load may cost Odradek at most. None of it depends on how fast
// the machine is.
type limit struct {
	Workload    string  `json:"workload"`
	Allocations float64 `json:"allocations_per_request,omitempty"`
	Calls       float64 `json:"system_calls_per_request,omitempty"`
	IO          float64 `json:"reads_and_writes_per_request,omitempty"` // counted where neither perf nor strace may
}

// limits holds what was measured of Odradek against bench/limits.json.
func (s *session) limits() error {
	var all []limit
	if err := json.Unmarshal(limitsJSON, &all); err != nil {
		return fmt.Errorf("bench/limits.json: %w", err)
	}
	var errs []error
	for _, r := range s.runs {
		if r.System != "odradek" {
			continue
		}
		if r.Failed != "" {
			errs = append(errs, fmt.Errorf("%s: %s", r.Workload, r.Failed))
			continue
		}
		for _, l := range all {
			if l.Workload == r.Workload {
				errs = append(errs, l.hold(r))
			}
		}
	}
	return errors.Join(errs...)
}

// hold compares a run with its limit.
func (l limit) hold(r report.Run) error {
	var errs []error
	check := func(what string, total, requests int64, most float64) {
		if most == 0 || requests == 0 {
			return
		}
		if each := float64(total) / float64(requests); each > most {
			errs = append(errs, fmt.Errorf("%s: %.2f %s a request, more than %.2f: if that is what it must cost, raise bench/limits.json and say why", l.Workload, each, what, most))
		}
	}
	if r.Cost != nil && r.Cost.Heap != nil {
		check("allocations", r.Cost.Heap.Objects, r.Load.Requests, l.Allocations)
	}
	if r.Cost != nil {
		check("reads and writes", r.Cost.During.Read+r.Cost.During.Write, r.Load.Requests, l.IO)
	}
	if r.Calls != nil {
		check("system calls", r.Calls.Calls, r.Calls.Requests, l.Calls)
	}
	return errors.Join(errs...)
}
