package check

import (
	"maps"
	"slices"

	"github.com/odradek/odradek/sim/history"
)

// C6: of a transaction, all is there or nothing is. If it was told to be committed, each of
// its acknowledged records is in the drain of what is committed; if nobody was told, either
// all of them are or none is. It is not told to be both. (Records of aborted transactions:
// C5. Offsets that are committed in a transaction: C12, with what C6 found out.)

func checkAtomic(f *facts, r *report) {
	for _, id := range slices.Sorted(maps.Keys(f.txns)) {
		t := f.txns[id]
		if t.both {
			r.add(f.ops(0, t.ends...), "transaction %d was told to be committed, and to be aborted", id)
			continue
		}
		if t.fate != committed {
			continue
		}
		for _, i := range t.sends {
			if !f.judged(int(i)) || f.flags[i]&drainedCommitted != 0 {
				continue
			}
			if r.full() {
				r.more++
				continue
			}
			s := &f.h.Sends[i]
			refs := append([]opRef{sendRef(int(i))}, t.ends...)
			why := "was committed"
			if t.told == undecided {
				why = "shows that it was committed by another record"
				refs = append(refs, f.visibleOf(t)...)
			}
			ops := append(f.ops(s.Offset, refs...), *f.places[s.Place].drained[history.Committed].Op)
			r.add(ops, "%v was acknowledged in transaction %d, which %s, and it is not in %v", s.Value, id, why, f.places[s.Place].Place)
		}
	}
}

// visibleOf is a send of the transaction whose record was read as committed.
func (f *facts) visibleOf(t *txn) []opRef {
	for _, i := range t.sends {
		if f.flags[i]&readCommitted != 0 {
			return []opRef{sendRef(int(i))}
		}
	}
	return nil
}
