package delivery

import (
	"slices"
	"time"

	"github.com/odradek/odradek/internal/coord/share"
)

// What became of a record. The numbers are those that are stored; what is acquired is
// stored as available.
const (
	available    = share.Available
	acquired     = int8(1)
	acknowledged = share.Acknowledged
	archiving    = share.Archiving
	archived     = share.Archived

	nowhere = int8(-1) // no state
)

// terminal reports whether a record in a state is done with.
func terminal(state int8) bool { return state == acknowledged || state == archived }

// cause is why a record goes to the dead letter queue.
type cause int8

const (
	exceeded cause = iota // it was delivered as often as may be
	rejected              // a member said that it cannot be processed
)

// run is records that follow each other, first and last included, and share a fate.
type run struct {
	first, last int64
	state       int8
	// to is the state it has once that is stored, nowhere if it stays. Until then it is
	// neither delivered nor acknowledged.
	to         int8
	why        cause // if to or state is archiving, else the first
	deliveries int16
	// unsaved tells that its state is not what is stored. Such a one that is done with
	// holds the start offset back.
	unsaved bool
	taken   bool   // someone writes it to the dead letter queue
	ticket  uint64 // the write under way that bears it, 0 if none does
	member  string // who has acquired it
	until   time.Time
}

func (r *run) len() int64 { return r.last - r.first + 1 }

// free reports whether it can be acquired.
func (r *run) free() bool { return r.state == available && r.to == nowhere }

// held reports whether a member has it and has not acknowledged it.
func (r *run) held() bool { return r.state == acquired && r.to == nowhere }

// same reports whether two runs differ in their offsets alone.
func (r *run) same(o *run) bool {
	return r.state == o.state && r.to == o.to && r.deliveries == o.deliveries && r.why == o.why &&
		r.unsaved == o.unsaved && r.taken == o.taken && r.ticket == o.ticket && r.member == o.member && r.until.Equal(o.until)
}

// batch is records that were acquired together for the first time: mostly whole record
// batches, in one run for as long as all of them have one fate.
type batch struct {
	first, last int64 // as first acquired; what is done with may have left runs
	// gap tells that it was never looked at: a leader before this one had acquired
	// something here, or nothing is here. It is one free run.
	gap  bool
	runs []run // ascending, without holes, never empty
	one  [1]run
}

func newBatch(r run) *batch {
	b := &batch{first: r.first, last: r.last}
	b.one[0] = r
	b.runs = b.one[:1:1]
	return b
}

// isolate makes first and last borders of runs and returns those in between, which is
// valid until runs are isolated again or joined.
func (b *batch) isolate(first, last int64) []run {
	i := b.border(first)
	j := b.border(last + 1)
	return b.runs[i:j]
}

// border makes a run begin at an offset, if one holds it, and returns the first that does
// not end before.
func (b *batch) border(offset int64) int {
	i, _ := slices.BinarySearchFunc(b.runs, offset, endsBefore)
	if i == len(b.runs) || b.runs[i].first >= offset {
		return i
	}
	left := b.runs[i]
	left.last = offset - 1
	b.runs[i].first = offset
	b.runs = slices.Insert(b.runs, i, left)
	return i + 1
}

// join makes one of neighbours that have come to share a fate.
func (b *batch) join() { b.joinFrom(0, len(b.runs)) }

// joinWithin does so around what was isolated.
func (b *batch) joinWithin(first, last int64) {
	i, _ := slices.BinarySearchFunc(b.runs, first-1, endsBefore)
	j, _ := slices.BinarySearchFunc(b.runs, last+1, endsBefore)
	b.joinFrom(i, min(j+1, len(b.runs)))
}

// joinFrom joins runs[i:j].
func (b *batch) joinFrom(i, j int) {
	if j-i < 2 {
		return
	}
	kept := b.runs[:i+1]
	for n := i + 1; n < j; n++ {
		kept = extend(kept, &b.runs[n])
	}
	if len(kept) == j {
		return
	}
	kept = append(kept, b.runs[j:]...)
	clear(b.runs[len(kept):])
	b.runs = kept
}

// extend appends a run, or lengthens the last one if they share a fate.
func extend(runs []run, r *run) []run {
	if n := len(runs); n > 0 && runs[n-1].same(r) {
		runs[n-1].last = r.last
		return runs
	}
	return append(runs, *r)
}

func endsBefore(r run, offset int64) int {
	if r.last < offset {
		return -1
	}
	return 1
}
