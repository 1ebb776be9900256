package pace

import (
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
)

// While the system stands still nothing is left out: what was due then is charged for the
// time since it was due, and the schedule is where it would have been.
func TestStandstillIsCharged(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		start := time.Now()
		s := Schedule{Start: start, Rate: 1000, Sleep: time.Sleep}
		for i := range 3000 {
			due := s.Next()
			if want := start.Add(time.Duration(i) * time.Millisecond); due != want {
				t.Fatalf("moment %d is %v, want %v", i, due.Sub(start), want.Sub(start))
			}
			if i == 1000 {
				time.Sleep(time.Second)
			}
		}
		if took := time.Since(start); took != 2999*time.Millisecond {
			t.Errorf("3000 moments took %v", took)
		}
		// A thousand moments passed in the standstill, the last of them as it ended: the
		// mean over all 3000 is a sixth of a second, which a load that waits for answers
		// and begins to count then would have as a third of a millisecond.
		if mean := s.Late.Mean(); mean < 160*time.Millisecond || mean > 170*time.Millisecond {
			t.Errorf("late by %v in the mean", mean)
		}
		if s.Late.Max() != 999*time.Millisecond {
			t.Errorf("late by %v at most", s.Late.Max())
		}
	})
}

// The kernel's sleep ends at last, and not before it should.
func TestSleep(t *testing.T) {
	s := Schedule{Start: time.Now(), Rate: 10_000}
	for range 20 {
		if due := s.Next(); time.Now().Before(due) {
			t.Fatal("a moment came before it was due")
		}
	}
}
