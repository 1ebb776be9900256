package delivery

import (
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/coord/share"
	"github.com/twmb/franz-go/pkg/kerr"
)

// rules are the settings that bind a share partition at the moment.
type rules struct {
	maxDeliveries int           // group.share.delivery.count.limit
	maxInFlight   int           // group.share.partition.max.record.locks
	lock          time.Duration // share.record.lock.duration.ms
	deadLetters   bool          // the group has a dead letter queue
	counts        *counts       // of what is given up; may be nil
}

// state is what is known of the records of one share partition. Its invariants:
//
//	start ≤ next, and start never falls
//	batches are ascending, without overlap, in [start, next)
//	what is below start is done with; what is at start is not, unless that is not stored
//	of what is in [start, next) and in no batch there are no records
//
// Time enters as an argument. Nothing here waits or fails half way: a request that is
// refused has changed nothing.
type state struct {
	start   int64 // the share partition's start offset (SPSO)
	told    int64 // the start that is stored
	next    int64 // from here on nothing was ever acquired
	batches []*batch
	// mayBeFree tells that some run may be free. If not, the next to acquire is at next.
	mayBeFree bool
	unwritten bool      // some run waits to be taken along by a write
	restate   bool      // the start is to be stored, if there is nothing else
	due       time.Time // no lock ends before; zero if nothing is locked
	tickets   uint64    // how many writes there were
}

// newState is the state of a share partition as it was stored, Start given. What was
// acquired when the leader before went away was not stored: it is free again.
// It returns an error that wraps kerr.CorruptMessage if it is no state.
func newState(stored share.PartitionState) (*state, error) {
	s := &state{start: stored.Start, told: stored.Start, next: stored.Start, mayBeFree: true}
	if s.start < 0 {
		return nil, fmt.Errorf("%w: a share partition starts at %d", kerr.CorruptMessage, s.start)
	}
	for _, b := range stored.Batches {
		if b.Last < b.First || b.First < s.next && b.Last >= s.start && len(s.batches) > 0 {
			return nil, fmt.Errorf("%w: a share partition has states at [%d, %d] after %d", kerr.CorruptMessage, b.First, b.Last, s.next)
		}
		if !terminal(b.State) && b.State != available && b.State != archiving {
			return nil, fmt.Errorf("%w: a share partition has state %d at %d", kerr.CorruptMessage, b.State, b.First)
		}
		if b.Last < s.start {
			continue
		}
		first := max(b.First, s.start)
		if first > s.next {
			s.batches = append(s.batches, newGap(s.next, first-1))
		}
		r := run{first: first, last: b.Last, state: b.State, to: nowhere, deliveries: b.Deliveries}
		if b.State == archiving {
			r.why = rejected // or it was delivered too often: that is not stored
		}
		s.batches = append(s.batches, newBatch(r))
		s.next = b.Last + 1
	}
	s.advance()
	return s, nil
}

func newGap(first, last int64) *batch {
	b := newBatch(run{first: first, last: last, state: available, to: nowhere})
	b.gap = true
	return b
}

// from is the first batch that does not end before an offset.
func (s *state) from(offset int64) int {
	i, _ := slices.BinarySearchFunc(s.batches, offset, func(b *batch, o int64) int {
		if b.last < o {
			return -1
		}
		return 1
	})
	return i
}

// within are the batches that have offsets in [first, last].
func (s *state) within(first, last int64) []*batch {
	i := s.from(first)
	j := i
	for j < len(s.batches) && s.batches[j].first <= last {
		j++
	}
	return s.batches[i:j]
}

// wanted is where the log is to be read for the next delivery.
func (s *state) wanted() int64 {
	if !s.mayBeFree {
		return s.next
	}
	for _, b := range s.batches {
		for i := range b.runs {
			if b.runs[i].free() {
				return b.runs[i].first
			}
		}
	}
	s.mayBeFree = false
	return s.next
}

// inFlight is how many offsets lie between the start and what was never acquired.
func (s *state) inFlight() int64 { return s.next - s.start }

// ready reports whether something may be acquired: something that was acquired before,
// or there is room for more.
func (s *state) ready(r rules) bool {
	return s.wanted() < s.next || s.inFlight() < int64(r.maxInFlight)
}

// advance moves the start over what is done with and reports whether it did.
func (s *state) advance() bool {
	was := s.start
	for len(s.batches) > 0 {
		b := s.batches[0]
		done := 0
		for done < len(b.runs) && settled(&b.runs[done]) {
			done++
		}
		if done < len(b.runs) {
			if done > 0 {
				b.runs = slices.Delete(b.runs, 0, done)
			}
			s.start = max(s.start, b.runs[0].first)
			return s.start > was
		}
		s.batches[0] = nil
		s.batches = s.batches[1:]
	}
	s.start, s.batches = s.next, nil
	return s.start > was
}

// settled reports whether a run is done with, and that is stored.
func settled(r *run) bool { return terminal(r.state) && r.to == nowhere && !r.unsaved }

// logStarts drops what the log has no longer, whoever has acquired it, and reports whether
// the start moved. A late acknowledgement of it is nothing.
func (s *state) logStarts(at int64) bool {
	if at <= s.start {
		return false
	}
	s.start, s.next = at, max(s.next, at)
	i := s.from(at)
	clear(s.batches[:i])
	if s.batches = s.batches[i:]; len(s.batches) > 0 {
		b := s.batches[0]
		if j := b.border(at); j > 0 {
			b.runs = slices.Delete(b.runs, 0, j)
		}
	}
	s.advance()
	return true
}

// lacks notes that the log has nothing in [first, last]: compaction took it. What is free
// there can never be delivered.
func (s *state) lacks(first, last int64) {
	for _, b := range s.within(first, last) {
		if b.gap {
			continue
		}
		runs := b.isolate(first, last)
		for i := range runs {
			if runs[i].free() {
				runs[i].state, runs[i].unsaved = archived, false
			}
		}
		b.join()
	}
	s.closeGaps(first, last)
}

// closeGaps takes [first, last] out of the gaps.
func (s *state) closeGaps(first, last int64) {
	for i := s.from(first); i < len(s.batches) && s.batches[i].first <= last; i++ {
		b := s.batches[i]
		if !b.gap {
			continue
		}
		var left []*batch
		if at := b.runs[0].first; at < first {
			left = append(left, newGap(at, first-1))
		}
		if b.last > last {
			left = append(left, newGap(last+1, b.last))
		}
		s.batches = slices.Replace(s.batches, i, i+1, left...)
		i += len(left) - 1
	}
}

// completed is how many records between start and next are done with.
func (s *state) completed() int32 {
	n := int64(0)
	for _, b := range s.batches {
		for i := range b.runs {
			if r := &b.runs[i]; terminal(r.state) || terminal(r.to) && r.ticket != 0 {
				n += r.len()
			}
		}
	}
	return int32(min(n, 1<<31-1))
}

// stale reports whether the start has moved since it was stored, and nothing else will take
// it along. A start that is behind does no harm to the next leader; it is what tools show as
// the group's lag.
func (s *state) stale() bool { return s.start > s.told && !s.unwritten }

// lockUntil notes a lock that ends at t.
func (s *state) lockUntil(t time.Time) {
	if s.due.IsZero() || t.Before(s.due) {
		s.due = t
	}
}
