// Package pace holds a load to a schedule that does not wait for the system under load:
// what is late is late from when it was due, so that a system that stands still for a
// second is charged for all that should have been sent in it.
package pace

import (
	"math"
	"time"

	"github.com/odradek/odradek/bench/load/hist"
)

// Schedule has its i-th moment i/Rate seconds after Start.
type Schedule struct {
	Start time.Time
	Rate  float64 // a second
	// Sleep is how to wait; default: as precisely as the system can.
	Sleep func(time.Duration)
	// Late is by how much each moment was missed by whom it was given to.
	Late hist.Hist

	next int64
}

// Next waits for the next moment and returns it. One that has passed is returned at once,
// none is left out.
func (s *Schedule) Next() time.Time {
	due := s.Peek()
	s.next++
	now := time.Now()
	for now.Before(due) {
		if s.Sleep == nil {
			sleep(due.Sub(now))
		} else {
			s.Sleep(due.Sub(now))
		}
		now = time.Now()
	}
	s.Late.Add(now.Sub(due))
	return due
}

// Peek is the next moment.
func (s *Schedule) Peek() time.Time {
	return s.Start.Add(time.Duration(math.Round(float64(s.next) / s.Rate * float64(time.Second))))
}
