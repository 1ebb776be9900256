package floor

import (
	"errors"
	"fmt"
	"slices"
)

// What is measured.
const (
	Produce = "produce"
	Fetch   = "fetch"
	Ping    = "ping" // the size of an answer to ApiVersions
)

// Where batches go.
const (
	Fresh    = "fresh"    // a file that grows: the kernel allocates pages
	Recycled = "recycled" // the same 64 MiB again and again, whose pages are there
)

const recycledBytes = 64 << 20

// How bytes pass between the process and its socket.
const (
	Net      = "net"      // by Go's package net: non-blocking, with epoll
	Blocking = "blocking" // by read and write on one thread: the least there is
)

// Spec says what to measure.
type Spec struct {
	Op       string  `json:"op"`
	Batch    int     `json:"batch"`     // bytes of a batch; a ping has none
	InFlight int     `json:"in_flight"` // requests without an answer, default 1
	Burst    int     `json:"burst"`     // requests that one write sends, default 1
	Durable  bool    `json:"durable"`   // one fdatasync before what was read together is answered
	File     string  `json:"file"`      // default fresh
	Sendfile bool    `json:"sendfile"`  // instead of pread and one write
	Socket   string  `json:"socket"`    // default net
	Bytes    int64   `json:"bytes"`     // of batches; default 2 GiB, 0.25 if durable
	Requests int64   `json:"requests"`  // of a ping, default 200,000
	Warmup   float64 `json:"warmup"`    // share of that before it counts, default 0.1
	Dir      string  `json:"dir"`       // for the file; default the folder of temporary files
}

func (s Spec) withDefaults() Spec {
	s.InFlight, s.Burst = max(s.InFlight, 1), max(s.Burst, 1)
	text := func(v *string, def string) {
		if *v == "" {
			*v = def
		}
	}
	text(&s.File, Fresh)
	text(&s.Socket, Net)
	if s.Warmup == 0 {
		s.Warmup = 0.1
	}
	if s.Bytes == 0 {
		s.Bytes = 2 << 30
		if s.Durable {
			s.Bytes = 1 << 28
		}
	}
	if s.Op != Ping && s.Batch > 0 {
		s.Requests = max(1, s.Bytes/int64(s.Batch))
	} else if s.Requests == 0 {
		s.Requests = 200_000
	}
	return s
}

func (s *Spec) check() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(!slices.Contains([]string{Produce, Fetch, Ping}, s.Op), "the operation is %q", s.Op)
	refuse(!slices.Contains([]string{Fresh, Recycled}, s.File), "the file is %q", s.File)
	refuse(!slices.Contains([]string{Net, Blocking}, s.Socket), "the socket is %q", s.Socket)
	refuse(s.Op != Ping && s.Batch < minBatch, "a batch of %d bytes", s.Batch)
	refuse(s.Batch > maxBatch, "a batch of %d bytes", s.Batch)
	refuse(s.InFlight < s.Burst, "a burst of %d with %d in flight", s.Burst, s.InFlight)
	refuse(s.Warmup < 0 || s.Warmup > 10, "a warm-up of %v times what counts", s.Warmup)
	return errors.Join(errs...)
}

const (
	minBatch = 128
	maxBatch = 8 << 20
)

// Result is what the kernel asked. CPU is of the serving process alone.
type Result struct {
	Spec       Spec    `json:"spec"`
	Requests   int64   `json:"requests"`
	Bytes      int64   `json:"bytes"` // of batches
	Seconds    float64 `json:"seconds"`
	User       float64 `json:"cpu_user"` // seconds
	System     float64 `json:"cpu_system"`
	PerGB      float64 `json:"cpu_per_gb,omitempty"` // seconds
	PerRequest float64 `json:"cpu_us_per_request"`   // microseconds
	Voluntary  int64   `json:"voluntary_switches"`   // how often it waited
	ClientCPU  float64 `json:"cpu_client"`           // seconds
	P50        int64   `json:"p50_us"`               // of a request
	P99        int64   `json:"p99_us"`
}
