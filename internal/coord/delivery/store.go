package delivery

import (
	"time"

	"github.com/odradek/odradek/internal/coord/share"
)

// write is what the share coordinator is asked to remember. One is under way at a time:
// what is acknowledged meanwhile goes with the next.
type write struct {
	ticket    uint64
	start     int64
	completed int32
	batches   []share.StateBatch
}

// prepare makes a write of all that waits for one; ok tells that there is something.
func (s *state) prepare() (w write, ok bool) {
	if !s.unwritten && !s.restate {
		return write{}, false
	}
	restate := s.restate
	s.unwritten, s.restate = false, false
	s.tickets++
	w.ticket, w.start = s.tickets, s.start
	for _, b := range s.batches {
		for i := range b.runs {
			r := &b.runs[i]
			if r.ticket != 0 || r.to == nowhere && !r.unsaved {
				continue
			}
			r.ticket = w.ticket
			w.add(r)
		}
		b.join()
	}
	w.completed = s.completed()
	return w, len(w.batches) > 0 || restate
}

// add takes a run along; those that follow each other to the same end are one.
func (w *write) add(r *run) {
	b := share.StateBatch{First: r.first, Last: r.last, State: r.state, Deliveries: r.deliveries}
	if r.to != nowhere {
		b.State = r.to
	}
	if n := len(w.batches); n > 0 {
		last := &w.batches[n-1]
		if last.Last+1 == b.First && last.State == b.State && last.Deliveries == b.Deliveries {
			last.Last = b.Last
			return
		}
	}
	w.batches = append(w.batches, b)
}

// written notes that a write was stored, and reports whether something is free since, or
// the start has moved.
func (s *state) written(w write) (news bool) {
	s.told = w.start
	for _, b := range s.batches {
		for i := range b.runs {
			r := &b.runs[i]
			if r.ticket != w.ticket {
				continue
			}
			r.ticket, r.unsaved = 0, false
			if r.to == nowhere {
				continue
			}
			r.state, r.to, r.member, r.until = r.to, nowhere, "", time.Time{}
			if r.state == available {
				s.mayBeFree, news = true, true
			}
		}
		b.join()
	}
	return s.advance() || news
}

// failed notes that a write was not stored, or that nobody knows. What was acknowledged by
// it is still its member's, unless the lock has ended; what was not stored otherwise is to
// be taken along by the next.
func (s *state) failed(ticket uint64, by rules, now time.Time) (news bool) {
	for _, b := range s.batches {
		for i := range b.runs {
			r := &b.runs[i]
			if r.ticket != ticket {
				continue
			}
			r.ticket = 0
			switch {
			case r.to == nowhere:
				s.unwritten = s.unwritten || r.unsaved
			case r.until.After(now):
				r.to, r.why = nowhere, 0
				s.lockUntil(r.until)
			default:
				r.to = nowhere
				s.takeBack(r, by)
				news = true
			}
		}
		b.join()
	}
	return news
}

// letter is records that are to be written to the dead letter queue.
type letter struct {
	first, last int64
	deliveries  int16
	why         cause
}

// letters are what waits for the dead letter queue and is stored so. Whoever takes them
// writes them.
func (s *state) letters() (list []letter) {
	for _, b := range s.batches {
		for i := range b.runs {
			r := &b.runs[i]
			if r.state != archiving || r.to != nowhere || r.unsaved || r.taken {
				continue
			}
			r.taken = true
			list = append(list, letter{r.first, r.last, r.deliveries, r.why})
		}
	}
	return list
}

// buried notes that [first, last] stands in the dead letter queue, or is given up.
func (s *state) buried(first, last int64) {
	for _, b := range s.within(max(first, s.start), last) {
		runs := b.isolate(first, last)
		for i := range runs {
			if r := &runs[i]; r.state == archiving {
				r.state, r.taken, r.unsaved, r.ticket = archived, false, true, 0
				s.unwritten = true
			}
		}
		b.join()
	}
}

// waits reports whether somebody waits for the next write.
func (s *state) waits() bool {
	if !s.unwritten {
		return false
	}
	for _, b := range s.batches {
		for i := range b.runs {
			if r := &b.runs[i]; r.to != nowhere && r.ticket == 0 {
				return true
			}
		}
	}
	return false
}
