package check

import (
	"slices"

	"github.com/odradek/odradek/sim/history"
)

// C1: no acknowledged record is lost. What was acknowledged by all before a drain began is
// in the drain, unless it is below the start of the log (whose place C16 looks after), or
// its topic is compacted (C16), or it was asked for in a transaction and the drain is of
// what is committed (C6), or a DeleteRecords that nobody was told the end of has moved the start
// while the drain went on.

func checkLost(f *facts, r *report) {
	cuts := f.undecidedCuts()
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		pl := f.places[s.Place]
		d, flag := pl.drained[history.Uncommitted], drained
		if d == nil && s.Txn == 0 {
			d, flag = pl.drained[history.Committed], drainedCommitted
		}
		if d == nil || !f.owed(s) || s.Return >= d.Invoke || f.flags[i]&flag != 0 ||
			s.Offset >= 0 && s.Offset < d.Start || pl.Compacted && s.Offset < d.High ||
			slices.ContainsFunc(cuts[s.Place], func(c gap) bool { return s.Offset > c.from && s.Offset < c.upto }) {
			continue
		}
		if r.full() {
			r.more++
			continue
		}
		ops := append(f.ops(s.Offset, sendRef(i)), *d.Op)
		switch {
		case s.Offset >= d.High:
			r.add(ops, "%v was acknowledged at %d of %v, which ends at %d", s.Value, s.Offset, pl.Place, d.High)
		case f.flags[i]&readThere != 0:
			r.add(ops, "%v was acknowledged and read at %d of %v, and is not there any more", s.Value, f.seen[i], pl.Place)
		default:
			r.add(ops, "%v was acknowledged at %d of %v, and nobody can read it", s.Value, s.Offset, pl.Place)
		}
	}
}

// gap is what a drain found nothing of: offsets above from and below upto.
type gap struct{ from, upto int64 }

// undecidedCuts returns, by place, what DeleteRecords may have deleted that nobody was told the end
// of: all below the start that was asked for, down to the last record below it that was found.
func (f *facts) undecidedCuts() map[int32][]gap {
	cuts := make(map[int32][]gap)
	for i := range f.h.Ops {
		if op := &f.h.Ops[i]; op.Kind == history.DeleteRecords && op.Outcome == history.Info {
			place := f.h.PlaceID(op.Topic, op.Partition)
			cuts[place] = append(cuts[place], gap{-1, op.Offset})
		}
	}
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		flag := drained
		if f.places[s.Place].drained[history.Uncommitted] == nil {
			flag = drainedCommitted
		}
		for j := range cuts[s.Place] {
			if c := &cuts[s.Place][j]; f.flags[i]&flag != 0 && s.Offset < c.upto {
				c.from = max(c.from, s.Offset)
			}
		}
	}
	return cuts
}
