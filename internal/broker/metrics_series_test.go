package broker

import (
	"errors"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/prometheus/client_golang/prometheus"
)

// gathered sums a metric's series by one label's value; histograms by their counts.
func gathered(t *testing.T, m *Metrics, name, label, value string) (sum float64) {
	families, err := m.requestsOnly().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			for _, l := range s.GetLabel() {
				if f.GetName() == "odradek_"+name && l.GetName() == label && l.GetValue() == value {
					sum += s.GetCounter().GetValue() + float64(s.GetHistogram().GetSampleCount())
				}
			}
		}
	}
	return sum
}

// requestsOnly leaves out what needs a running node.
func (m *Metrics) requestsOnly() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(m.requests, m.failures, m.bytesIn, m.bytesOut, m.seconds)
	return r
}

// Requests are counted by name and version, also those that no array has a place for.
func TestRequestsAreCounted(t *testing.T) {
	m := newMetrics(nil)
	for range 3 {
		m.RequestDone(nil, wire.Done{Key: 0, Version: 13, BytesIn: 100, BytesOut: 10, Serve: time.Millisecond})
	}
	m.RequestDone(nil, wire.Done{Key: 0, Version: 12, BytesIn: 1})
	m.RequestDone(nil, wire.Done{Key: 1, Version: 17, BytesIn: 7, Err: errors.New("gone")})
	m.RequestDone(nil, wire.Done{Key: -3, Version: -3, BytesIn: 5})
	m.RequestDone(nil, wire.Done{Key: 32000, Version: 32000, BytesIn: 5})
	for _, c := range []struct {
		name, label, value string
		want               float64
	}{
		{"requests_total", "api", "Produce", 4},
		{"requests_total", "version", "13", 3},
		{"requests_total", "version", "12", 1},
		{"requests_total", "version", "32000", 1},
		{"requests_total", "api", "Fetch", 0},
		{"request_failures_total", "api", "Fetch", 1},
		{"request_failures_total", "api", "Produce", 0},
		{"request_bytes_total", "api", "Produce", 301},
		{"request_bytes_total", "api", "Fetch", 7},
		{"request_bytes_total", "api", "Unknown", 10},
		{"response_bytes_total", "api", "Produce", 30},
		{"request_seconds", "api", "Produce", 12},
		{"request_seconds", "phase", "serve", 6},
	} {
		if got := gathered(t, m, c.name, c.label, c.value); got != c.want {
			t.Errorf("%s{%s=%q} = %v, want %v", c.name, c.label, c.value, got, c.want)
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	m := newMetrics(nil)
	d := wire.Done{Key: 0, Version: 13, BytesIn: 100, BytesOut: 10, Serve: time.Millisecond, Wait: time.Second}
	if n := testing.AllocsPerRun(100, func() { m.RequestDone(nil, d) }); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkRequestDone(b *testing.B) {
	m := newMetrics(nil)
	d := wire.Done{Key: 0, Version: 13, BytesIn: 100, BytesOut: 10, Serve: time.Millisecond, Wait: time.Second}
	b.ReportAllocs()
	for b.Loop() {
		m.RequestDone(nil, d)
	}
}
