package check

import "github.com/odradek/odradek/sim/history"

// C1: no acknowledged record is lost. What was acknowledged by all before a drain began is
// in the drain, unless it is below the start of the log (whose place C16 looks after), or
// its topic is compacted (C16), or it was asked for in a transaction and the drain is of
// what is committed (C6).

func checkLost(f *facts, r *report) {
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		pl := f.places[s.Place]
		d, flag := pl.drained[history.Uncommitted], drained
		if d == nil && s.Txn == 0 {
			d, flag = pl.drained[history.Committed], drainedCommitted
		}
		if d == nil || !f.owed(s) || s.Return >= d.Invoke || f.flags[i]&flag != 0 ||
			s.Offset >= 0 && s.Offset < d.Start || pl.Compacted && s.Offset < d.High {
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
