package delivery

import (
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// The types of acknowledgements.
const (
	Gap     int8 = 0 // there is no such record
	Accept  int8 = 1 // it was processed
	Release int8 = 2 // it is to be delivered again
	Reject  int8 = 3 // it cannot be processed
	Renew   int8 = 4 // the member needs more time (KIP-1222)
)

// Ack acknowledges the records from First to Last, included: all of them by one type, or
// each by its own.
type Ack struct {
	First, Last int64
	Types       []int8
}

// Check reports whether acknowledgements make sense in themselves; it returns
// kerr.InvalidRequest if not. newest is the greatest type that may be used.
func Check(acks []Ack, newest int8) error {
	end := int64(-1)
	for _, a := range acks {
		if a.First < 0 || a.First > a.Last || a.First < end || len(a.Types) == 0 ||
			len(a.Types) > 1 && a.Last-a.First != int64(len(a.Types)-1) {
			return kerr.InvalidRequest
		}
		for _, t := range a.Types {
			if t < Gap || t > newest {
				return kerr.InvalidRequest
			}
		}
		end = a.Last
	}
	return nil
}

// acknowledge has records go where their member wants them, as soon as that is stored, and
// reports whether there is something to store. acks have passed Check.
// It returns kerr.InvalidRecordState or kerr.InvalidRequest, and changes nothing then.
func (s *state) acknowledge(member string, acks []Ack, r rules, now time.Time) (changed bool, err error) {
	end := int64(-1)
	for i := range acks {
		if acks[i].First <= end {
			return false, kerr.InvalidRecordState // twice in one request
		}
		if err := s.mayAcknowledge(member, &acks[i]); err != nil {
			return false, err
		}
		end = acks[i].Last
	}
	for i := range acks {
		a := &acks[i]
		for _, b := range s.within(max(a.First, s.start), a.Last) {
			if len(a.Types) == 1 {
				changed = b.settle(max(a.First, s.start), a.Last, a.Types[0], r, now) || changed
			} else {
				changed = b.settleEach(a, s.start, r, now) || changed
			}
		}
	}
	s.unwritten = s.unwritten || changed
	return changed, nil
}

// mayAcknowledge reports whether a member has all that it acknowledges. What is below the
// start is done with anyway.
func (s *state) mayAcknowledge(member string, a *Ack) error {
	if a.Last < s.start {
		return nil
	}
	covered := s.within(max(a.First, s.start), a.Last)
	switch {
	case len(s.batches) == 0 || a.First >= s.start && a.First < s.batches[0].first:
		return errNotFound
	case a.First > s.batches[len(s.batches)-1].last:
		return errFirstPast
	case len(covered) == 0 || a.Last > covered[len(covered)-1].last:
		return errLastPast
	}
	for _, b := range covered {
		i, _ := slices.BinarySearchFunc(b.runs, a.First, endsBefore)
		for ; i < len(b.runs) && b.runs[i].first <= a.Last; i++ {
			r := &b.runs[i]
			switch {
			case r.state != acquired:
				return errNotAcquired
			case r.to != nowhere:
				return kerr.InvalidRecordState
			case r.member != member:
				return errNotOwner
			}
		}
	}
	return nil
}

// What Kafka says to those who acknowledge what they do not have.
var (
	errNotFound    = model.Explain(kerr.InvalidRecordState, "Batch record not found. The request batch offsets are not found in the cache.")
	errFirstPast   = model.Explain(kerr.InvalidRequest, "Batch record not found. The first offset in request is past acquired records.")
	errLastPast    = model.Explain(kerr.InvalidRequest, "Batch record not found. The last offset in request is past acquired records.")
	errNotAcquired = model.Explain(kerr.InvalidRecordState, "The batch cannot be acknowledged. The batch is not in the acquired state.")
	errNotOwner    = model.Explain(kerr.InvalidRecordState, "Member is not the owner of batch record")
)

// settle has [first, last] go where one type of acknowledgement says, and reports whether
// that is to be stored.
func (b *batch) settle(first, last int64, kind int8, by rules, now time.Time) (changed bool) {
	runs := b.isolate(first, last)
	for i := range runs {
		changed = runs[i].settle(kind, by, now) || changed
	}
	b.joinWithin(first, last)
	return changed
}

// settleEach is settle with a type for each record: the runs are made anew, in one go.
func (b *batch) settleEach(a *Ack, start int64, by rules, now time.Time) (changed bool) {
	first := max(a.First, start)
	made := make([]run, 0, len(b.runs)+8)
	for i := range b.runs {
		for r := b.runs[i]; r.first <= r.last; {
			piece := r
			switch {
			case r.last < first || r.first > a.Last:
			case r.first < first:
				piece.last = first - 1
			default:
				kind := a.Types[r.first-a.First]
				piece.last = r.first
				for most := min(r.last, a.Last); piece.last < most && a.Types[piece.last+1-a.First] == kind; {
					piece.last++
				}
				changed = piece.settle(kind, by, now) || changed
			}
			made = extend(made, &piece)
			r.first = piece.last + 1
		}
	}
	b.runs = made
	return changed
}

// settle is what one type of acknowledgement does to a held run.
func (r *run) settle(kind int8, by rules, now time.Time) (changed bool) {
	if kind == Renew {
		r.until = now.Add(by.lock)
		return false
	}
	r.send(kind, by)
	return true
}

// send begins to move a held run.
func (r *run) send(kind int8, by rules) {
	r.ticket, r.why = 0, exceeded
	switch kind {
	case Accept:
		r.to = acknowledged
	case Gap:
		r.to = archived
	case Reject:
		if r.to = by.grave(); r.to == archiving {
			r.why = rejected
		}
		by.counts.gaveUp(r, rejected)
	case Release:
		if r.to = by.again(r.deliveries); r.to != available {
			by.counts.gaveUp(r, exceeded)
		}
	default:
		panic("bug: delivery: an acknowledgement of an unknown type")
	}
}

// again is what becomes of a record that was not processed.
func (r rules) again(deliveries int16) int8 {
	if int(deliveries) >= r.maxDeliveries {
		return r.grave()
	}
	return available
}

// grave is what becomes of a record that is given up.
func (r rules) grave() int8 {
	if r.deadLetters {
		return archiving
	}
	return archived
}

// release gives back all that a member has, as soon as that is stored, and reports whether
// it had something.
func (s *state) release(member string, by rules) (changed bool) {
	for _, b := range s.batches {
		for i := range b.runs {
			if r := &b.runs[i]; r.held() && r.member == member {
				r.send(Release, by)
				changed = true
			}
		}
		b.join()
	}
	s.unwritten = s.unwritten || changed
	return changed
}

// expire takes back what members have had for too long, and reports whether there was
// any. It is free at once: that is stored when it is.
func (s *state) expire(by rules, now time.Time) (changed bool) {
	if s.due.IsZero() || now.Before(s.due) {
		return false
	}
	s.due = time.Time{}
	for _, b := range s.batches {
		for i := range b.runs {
			r := &b.runs[i]
			if !r.held() {
				continue
			}
			if r.until.After(now) {
				s.lockUntil(r.until)
				continue
			}
			s.takeBack(r, by)
			changed = true
		}
		b.join()
	}
	return changed
}

// takeBack ends a member's lock.
func (s *state) takeBack(r *run, by rules) {
	r.state, r.why = by.again(r.deliveries), exceeded
	r.member, r.until, r.ticket, r.unsaved = "", time.Time{}, 0, true
	s.unwritten = true
	if r.state == available {
		s.mayBeFree = true
	} else {
		by.counts.gaveUp(r, exceeded)
	}
}
