package main

import (
	"strings"
	"testing"
	"time"
)

func TestWaits(t *testing.T) {
	const ms = time.Millisecond
	even := make([]time.Duration, 100)
	for i := range even {
		even[i] = 10 * ms
	}
	stalled := append(make([]time.Duration, 0, 901), even...)
	stalled = append(stalled, 1000*ms) // half of the time is one call
	for _, c := range []struct {
		calls []time.Duration
		part  float64
		want  time.Duration
	}{
		{even, 0.5, 5 * ms}, // who comes in the middle of a call waits for the other half
		{even, 0.99, 9900 * time.Microsecond},
		{even, 0, 0},
		{stalled, 0.75, 500 * ms},
		{stalled, 0.99, 980 * ms},
		{stalled, 0.25, 4950495 * time.Nanosecond}, // (2 s - 1.5 s) / 101 calls
		{nil, 0.5, 0},
	} {
		got := waits(c.calls, c.part)
		if d := got - c.want; d < -time.Microsecond || d > time.Microsecond {
			t.Errorf("%d calls, %g: %v, want %v", len(c.calls), c.part, got, c.want)
		}
	}
}

func TestMeasure(t *testing.T) {
	calls, err := measure(t.TempDir(), page, time.Millisecond)
	if err != nil || len(calls) == 0 {
		t.Fatalf("%d calls, %v", len(calls), err)
	}
	if said := report(calls); !strings.Contains(said, "p99") {
		t.Error(said)
	}
	for _, size := range []int{0, 100, page + 1, 3 * page, 2 * fileSize} {
		if _, err := measure(t.TempDir(), size, 0); err == nil {
			t.Errorf("a block of %d bytes was taken", size)
		}
	}
}
