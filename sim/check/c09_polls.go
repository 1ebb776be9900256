package check

import (
	"cmp"
	"slices"

	"github.com/odradek/odradek/sim/history"
)

// C9: a reader goes forward, and over nothing. From one poll of a partition to the next,
// unless its process moved of its own will (a drain begins anew) or was given it anew, offsets
// rise, and no record is passed over that must have shown: acknowledged or read by anybody
// whenever; visible at its isolation; not compacted, and above the start of the log. It
// does not matter when the record was acknowledged: who was shown a higher offset was
// shown a log in which it already was, and in which its transaction was decided.

func checkPolls(f *facts, r *report) {
	starts := f.highestStarts()
	moves := f.moves()
	type reader struct{ process, place int32 }
	type position struct {
		next int64
		by   opRef
		at   int64
	}
	positions := make(map[reader]*position)
	var last reader
	var pos *position
	for n := range f.h.Polls {
		p := &f.h.Polls[n]
		pl := f.places[p.Place]
		if pl.Foreign || p.Invoke <= pl.since {
			continue
		}
		who := reader{p.Process, p.Place}
		if pos == nil || who != last {
			if pos = positions[who]; pos == nil {
				pos = &position{next: history.Unknown, by: noOp, at: -1}
				positions[who] = pos
			}
			last = who
		}
		if moves[who.process].between(pos.at, p.Return, pl.Place) {
			pos.next, pos.by = history.Unknown, noOp
		}
		next := pos.next
		if p.From >= 0 && next < 0 {
			next = p.From
		}
		for _, rec := range p.Records {
			switch {
			case next >= 0 && rec.Offset < next:
				r.add(f.ops(rec.Offset, pos.by, pollRef(n)), "process %d read %v up to %d, and then %d", p.Process, pl.Place, next, rec.Offset)
			case next >= 0 && rec.Offset > next:
				f.passed(r, p, pollRef(n), pos.by, max(next, p.Start, starts[p.Place]), rec.Offset)
			}
			next = rec.Offset + 1
		}
		if pos.next, pos.at = next, p.Invoke; len(p.Records) > 0 {
			pos.by = pollRef(n)
		}
	}
}

// passed looks at what a poll passed over in [from, to).
func (f *facts) passed(r *report, p *history.Fetched, ref, before opRef, from, to int64) {
	pl := f.places[p.Place]
	if pl.Compacted || from >= to {
		return
	}
	pl.spots.between(from, to, func(offset int64, s spot) {
		if s.what < 0 {
			return
		}
		i := int(s.what) - 1
		send := &f.h.Sends[i]
		if t := f.txns[send.Txn]; p.Isolation == history.Committed && t != nil && t.fate != committed {
			return
		}
		if r.full() {
			r.more++
			return
		}
		r.add(append(f.ops(offset, before, ref), f.h.Sends[i].Op(f.h)), "process %d read %v from %d on and passed over %v at %d",
			p.Process, pl.Place, from, send.Value, offset)
	})
}

// highestStarts are the highest start of each log that anybody was told of.
func (f *facts) highestStarts() []int64 {
	starts := make([]int64, len(f.places))
	for i := range f.h.Polls {
		p := &f.h.Polls[i]
		starts[p.Place] = max(starts[p.Place], p.Start)
	}
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		if op.Topic == "" {
			continue
		}
		place := f.h.PlaceID(op.Topic, op.Partition)
		switch {
		case op.Kind == history.ListOffset && op.Spec == history.Earliest && op.Outcome == history.OK:
			starts[place] = max(starts[place], op.Offset)
		case op.Kind == history.DeleteRecords && op.Outcome != history.Fail:
			// Whether it was done is not known; an Offset of -1 stands for the end.
			if starts[place] = max(starts[place], op.Start, op.Offset); op.Offset < 0 {
				starts[place] = history.Never
			}
		case op.Kind == history.Drain && op.Outcome == history.OK:
			starts[place] = max(starts[place], op.Start)
		}
	}
	return starts
}

// moved are the times at which a process took another position in partitions, rising.
type moved []move

type move struct {
	at     int64
	places []history.Place
}

// moves are those of each process.
func (f *facts) moves() map[int32]moved {
	all := make(map[int32]moved)
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		switch op.Kind {
		case history.Seek, history.Drain:
			all[op.Process] = append(all[op.Process], move{op.Invoke, []history.Place{{Topic: op.Topic, Partition: op.Partition}}})
		case history.Assign, history.Revoke, history.Lost:
			all[op.Process] = append(all[op.Process], move{op.Invoke, op.Places})
		}
	}
	for _, m := range all {
		slices.SortStableFunc(m, func(a, b move) int { return cmp.Compare(a.at, b.at) })
	}
	return all
}

// between tells whether there was one of a partition, from one time to another.
func (m moved) between(from, to int64, p history.Place) bool {
	for i := len(m) - 1; i >= 0 && m[i].at >= from; i-- {
		if m[i].at > to {
			continue
		}
		if slices.Contains(m[i].places, p) {
			return true
		}
	}
	return false
}
