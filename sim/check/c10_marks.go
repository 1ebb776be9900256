package check

import (
	"strings"

	"github.com/odradek/odradek/sim/history"
)

// C10: what a partition's log was known to reach, by its high watermark, an acknowledgement
// or a record that was read, it reaches for all who ask later; its start never goes back
// behind what a DeleteRecords that was acknowledged has deleted. (What is deleted and not
// acknowledged, or by the age of a leader's segments, may be there again on the next leader.)
// Who asks for what is in between is not told that it is out of range. An error
// does not come with an offset that looks like an answer.

func checkMarks(f *facts, r *report) {
	starts := make([]stairs, len(f.places))
	f.inTime(func(ref opRef, ret int64) {
		m := f.told(ref)
		if m.place < 0 {
			return
		}
		pl := f.places[m.place]
		invoke, _ := f.times(ref)
		if k := pl.known.before(invoke); m.high >= 0 && m.high < k.to {
			r.add(f.ops(k.to-1, k.by, ref), "%v was known to go to %d, and then to %d", pl.Place, k.to, m.high)
		}
		if k := starts[m.place].before(invoke); m.start >= 0 && m.start < k.to {
			r.add(f.ops(k.to, k.by, ref), "%v was known to start at %d, and then at %d", pl.Place, k.to, m.start)
		}
		if m.start >= 0 && m.high >= 0 && m.start > m.high {
			r.add(f.ops(m.high, ref), "%v starts at %d and ends at %d", pl.Place, m.start, m.high)
		}
		if m.lasts {
			starts[m.place].raise(ret, m.start, ref)
		}
	})
	f.checkOutOfRange(r)
	f.checkErrors(r)
}

// marks are what an operation was told of a partition's log; place is -1 if nothing.
type marks struct {
	place       int32
	high, start int64
	lasts       bool // the start is every replica's
}

func (f *facts) told(ref opRef) (m marks) {
	m = marks{-1, history.Unknown, history.Unknown, false}
	var invoke int64
	switch i := int(ref >> 2); ref & 3 {
	case inPolls:
		p := &f.h.Polls[i]
		m, invoke = marks{p.Place, p.High, p.Start, false}, p.Invoke
		if f.o.LateFetches {
			m.high = history.Unknown
		}
	case inOps:
		op := &f.h.Ops[i]
		if op.Outcome != history.OK || op.Topic == "" {
			return m
		}
		invoke = op.Invoke
		place := f.h.PlaceID(op.Topic, op.Partition)
		switch {
		case op.Kind == history.ListOffset && op.Spec == history.Latest && op.Isolation == history.Uncommitted:
			m = marks{place, op.Offset, history.Unknown, false}
		case op.Kind == history.ListOffset && op.Spec == history.Earliest:
			m = marks{place, history.Unknown, op.Offset, false}
		case op.Kind == history.DeleteRecords:
			m = marks{place, history.Unknown, op.Start, true}
		case op.Kind == history.Drain && op.Isolation == history.Uncommitted:
			m = marks{place, op.High, op.Start, false}
		}
	}
	if m.place >= 0 && (f.places[m.place].Foreign || invoke <= f.places[m.place].since) {
		m.place = -1
	}
	return m
}

// checkOutOfRange looks at polls that were told that their position is out of range.
func (f *facts) checkOutOfRange(r *report) {
	starts := f.highestStarts()
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		if op.Kind != history.Poll || op.From < 0 || !strings.Contains(op.Err, "OFFSET_OUT_OF_RANGE") {
			continue
		}
		place := f.h.PlaceID(op.Topic, op.Partition)
		if pl := f.places[place]; pl.Foreign || op.Invoke <= pl.since {
			continue
		}
		k := f.places[place].known.before(op.Invoke)
		if op.From >= starts[place] && op.From <= k.to {
			r.add(f.ops(op.From, k.by, otherRef(i)), "%d of %v was out of range, when it was known to go to %d", op.From, f.places[place].Place, k.to)
		}
	}
}

// checkErrors looks for errors that came with an offset.
func (f *facts) checkErrors(r *report) {
	for i := range f.h.Sends {
		if s := &f.h.Sends[i]; s.Outcome != history.OK && s.Offset >= 0 {
			r.add(f.ops(s.Offset, sendRef(i)), "a send that did not succeed was told offset %d", s.Offset)
		}
	}
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		if asks := op.Kind == history.ListOffset || op.Kind == history.FetchOffset; asks && op.Outcome != history.OK && op.Offset >= 0 {
			r.add(f.ops(op.Offset, otherRef(i)), "a question that was not answered was told offset %d", op.Offset)
		}
	}
}
