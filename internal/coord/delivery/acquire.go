package delivery

import (
	"math"
	"slices"
	"time"
)

// Ask is what a member asks of one share partition.
type Ask struct {
	Member string
	// RecordLimit is the acquire mode in which MaxRecords binds (KIP-1206). In the other,
	// whole batches are acquired.
	RecordLimit bool
	// BatchSize is about how many records go into one Acquired, where batches allow it.
	BatchSize  int
	MaxRecords int
}

// Acquired is records that a member has, First and Last included, until their lock ends.
type Acquired struct {
	First, Last int64
	Deliveries  int16
}

// bounds are where a record batch of the log begins and ends.
type bounds struct {
	base, last int64
	// hidden tells that it has nothing for members: a control batch, or one of an aborted
	// transaction that a group of read_committed may not see.
	hidden bool
}

// acquisition is one call of acquire.
type acquisition struct {
	*state
	Ask
	rules
	read  []bounds
	first int64 // of what was read
	last  int64
	until time.Time
	got   []Acquired
	count int64
	stop  bool // what follows is to be delivered alone
}

// acquire gives a member what can be delivered of the batches that were read from an
// offset on: first what is free again, then what was never acquired. What fails again and
// again is delivered in ever smaller parts, so that one bad record does not drag others
// down with it.
func (s *state) acquire(ask Ask, from int64, read []bounds, r rules, now time.Time) []Acquired {
	if len(read) == 0 || ask.MaxRecords <= 0 || read[len(read)-1].last < s.start {
		return nil
	}
	a := acquisition{state: s, Ask: ask, rules: r, read: read, first: read[0].base, last: read[len(read)-1].last, until: now.Add(r.lock)}
	if from < a.first {
		s.lacks(from, a.first-1)
	}
	a.again()
	a.new()
	if a.count > 0 {
		s.lockUntil(a.until)
	}
	a.hide()
	s.advance()
	return a.got
}

// left is how many records may still be acquired.
func (a *acquisition) left() int64 { return int64(a.MaxRecords) - a.count }

// again acquires what is free of what was acquired before.
func (a *acquisition) again() {
	if !a.mayBeFree {
		return
	}
	for i := a.from(max(a.first, a.start)); i < len(a.batches) && !a.stop && a.left() > 0; i++ {
		b := a.batches[i]
		if b.first > a.last {
			return
		}
		if b.gap {
			i = a.fill(i)
			continue
		}
		throttled := a.throttles(b)
		if throttled && a.count > 0 {
			a.stop = true
			return
		}
		had := a.count
		whole := b.first >= a.first && b.last <= a.last && len(b.runs) == 1
		if whole && !throttled && !(a.RecordLimit && b.runs[0].len() > a.left()) {
			if r := &b.runs[0]; r.free() {
				a.take(r)
			}
			continue
		}
		a.part(b)
		a.stop = throttled && a.count > had
	}
}

// throttle is the number of deliveries from which on records are delivered in smaller
// parts.
func (r rules) throttle() int16 { return int16(max(2, (r.maxDeliveries+1)/2)) }

// throttles reports whether something free of a batch was delivered that often.
func (a *acquisition) throttles(b *batch) bool {
	for i := range b.runs {
		if r := &b.runs[i]; r.free() && r.last >= a.first && r.first <= a.last && r.deliveries >= a.throttle() {
			return true
		}
	}
	return false
}

// part acquires of a batch what is free, read and allowed: the last delivery of a record is
// its alone, and those before halve the batch each time.
func (a *acquisition) part(b *batch) {
	most := int64(math.MaxInt64)
	if a.RecordLimit {
		most = a.left()
	}
	taken, told, throttled := int64(0), len(a.got), false
	for at := max(a.first, a.start); at <= min(a.last, b.last) && taken < most; {
		i := b.border(at)
		if i == len(b.runs) || b.runs[i].first > a.last {
			break
		}
		r := b.runs[i]
		if at = r.last + 1; !r.free() {
			continue
		}
		alone := a.maxDeliveries > 2 && int(r.deliveries) == a.maxDeliveries-1
		if alone && taken > 0 {
			break
		}
		if r.deliveries >= a.throttle() && !throttled {
			throttled = true
			half := max(1, (b.last-b.first+1)>>(r.deliveries-a.throttle()+1))
			most = min(most, max(half, taken+1))
		}
		n := min(r.len(), most-taken, a.last-r.first+1)
		if alone {
			n = 1
		}
		at = r.first + n
		a.take(&b.runs[b.border(at)-1])
		if taken += n; alone {
			break
		}
	}
	a.joinTold(told)
	b.join()
}

// joinTold makes one of what follows each other in the same delivery, from the i-th on.
func (a *acquisition) joinTold(i int) {
	if len(a.got)-i < 2 {
		return
	}
	kept := a.got[:i+1]
	for _, g := range a.got[i+1:] {
		if last := &kept[len(kept)-1]; last.Last+1 == g.First && last.Deliveries == g.Deliveries {
			last.Last = g.Last
		} else {
			kept = append(kept, g)
		}
	}
	a.got = kept
}

// take gives a run to the member.
func (a *acquisition) take(r *run) {
	r.state, r.deliveries, r.member, r.until = acquired, r.deliveries+1, a.Member, a.until
	r.unsaved, r.ticket = false, 0
	a.count += r.len()
	a.tell(r.first, r.last, r.deliveries)
}

// tell notes what was acquired.
func (a *acquisition) tell(first, last int64, deliveries int16) {
	a.got = append(a.got, Acquired{first, last, deliveries})
}

// fill acquires what was read of the gap at i and returns the place of the last batch
// that took its place.
func (a *acquisition) fill(i int) int {
	gap := a.batches[i]
	first, last := max(gap.runs[0].first, a.first), min(gap.last, a.last)
	if first > last {
		return i
	}
	fresh := a.fresh(first, last, a.left())
	pieces := make([]*batch, 0, len(fresh)+2)
	if at := gap.runs[0].first; at < first {
		pieces = append(pieces, newGap(at, first-1))
	}
	pieces = append(pieces, fresh...)
	if end := fresh[len(fresh)-1].last; end < gap.last {
		pieces = append(pieces, newGap(end+1, gap.last))
	}
	a.batches = slices.Replace(a.batches, i, i+1, pieces...)
	return i + len(pieces) - 1
}

// new acquires what was never acquired before, as far as there is room in flight.
func (a *acquisition) new() {
	first := max(a.next, a.first)
	room := min(a.left(), int64(a.maxInFlight)-a.inFlight())
	if a.stop || first > a.last || room <= 0 {
		return
	}
	if len(a.batches) == 0 {
		a.start = max(a.start, first) // there is nothing before it
	}
	fresh := a.fresh(first, a.last, room)
	a.batches = append(a.batches, fresh...)
	a.next = fresh[len(fresh)-1].last + 1
}

// fresh makes batches of [first, last], of at most so many records, but whole record
// batches unless the limit binds: then the rest of the last one stays free.
func (a *acquisition) fresh(first, last, most int64) []*batch {
	if most < last-first+1 {
		last = min(last, a.ending(first+most-1))
	}
	r := run{first: first, last: last, state: acquired, to: nowhere, deliveries: 1, member: a.Member, until: a.until}
	if a.RecordLimit {
		b := newBatch(r)
		if end := first + most - 1; end < last {
			b.runs = []run{r, {first: end + 1, last: last, state: available, to: nowhere}}
			b.runs[0].last = end
			a.mayBeFree = true
		}
		a.count += b.runs[0].len()
		a.tell(first, b.runs[0].last, 1)
		return []*batch{b}
	}
	fresh := make([]*batch, 0, 1)
	cut := func(end int64) {
		r.last = end
		fresh = append(fresh, newBatch(r))
		a.count += r.len()
		a.tell(r.first, end, 1)
		r.first = end + 1
	}
	for i := range a.read {
		if base := a.read[i].base; base > last {
			break
		} else if base > r.first && base-r.first >= int64(a.BatchSize) {
			cut(base - 1)
		}
	}
	cut(last)
	return fresh
}

// ending is the end of the record batch that has an offset, or the offset if none has.
func (a *acquisition) ending(offset int64) int64 {
	for i := range a.read {
		if b := &a.read[i]; b.last >= offset {
			if b.base <= offset {
				return b.last
			}
			break
		}
	}
	return offset
}

// hide archives what was acquired and is not for members, and takes it out of what is
// told.
func (a *acquisition) hide() {
	for _, h := range a.read {
		if !h.hidden {
			continue
		}
		for _, b := range a.within(max(h.base, a.start), h.last) {
			runs := b.isolate(h.base, h.last)
			for i := range runs {
				if r := &runs[i]; r.held() && r.member == a.Member && r.until.Equal(a.until) {
					r.state, r.member = archived, ""
				}
			}
			b.join()
		}
		a.got = without(a.got, h.base, h.last)
	}
}

// without cuts [first, last] out of what was acquired.
func without(got []Acquired, first, last int64) []Acquired {
	kept := make([]Acquired, 0, len(got)+1)
	for _, g := range got {
		if g.Last < first || g.First > last {
			kept = append(kept, g)
			continue
		}
		if g.First < first {
			kept = append(kept, Acquired{g.First, first - 1, g.Deliveries})
		}
		if g.Last > last {
			kept = append(kept, Acquired{last + 1, g.Last, g.Deliveries})
		}
	}
	return kept
}
