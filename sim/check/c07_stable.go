package check

import "github.com/odradek/odradek/sim/history"

// C7: a reader of what is committed sees nothing at or above the last stable offset, and
// nothing of a transaction that nobody asked yet to commit. The last stable offset is not
// above the high watermark, and once told it is never lower.

func checkStable(f *facts, r *report) {
	for i := range f.h.Polls {
		p := &f.h.Polls[i]
		pl := f.places[p.Place]
		if p.Stable >= 0 && p.High >= 0 && p.Stable > p.High {
			r.add(f.ops(p.Stable, pollRef(i)), "%v is told to be stable up to %d, above its high watermark %d", pl.Place, p.Stable, p.High)
		}
		if n := len(p.Records); n > 0 && p.Isolation == history.Committed && p.Stable >= 0 && p.Records[n-1].Offset >= p.Stable {
			r.add(f.ops(p.Stable, pollRef(i)), "%v was read as committed up to %d, and is told to be stable up to %d", pl.Place, p.Records[n-1].Offset, p.Stable)
		}
	}
	f.eachCommitted(func(i int, p *history.Fetched, ref opRef, offset int64) {
		s := &f.h.Sends[i]
		if t := f.txns[s.Txn]; t.asked > p.Return && t.fate != aborted {
			r.add(f.ops(offset, append(append([]opRef{}, ref, sendRef(i)), t.ends...)...),
				"%v was read as committed at %d of %v, before anybody asked to commit transaction %d", s.Value, offset, f.places[p.Place].Place, s.Txn)
		}
	})
	known := make([]stairs, len(f.places))
	f.inTime(func(ref opRef, ret int64) {
		place, stable, least := f.knownStable(ref)
		if place < 0 {
			return
		}
		invoke, _ := f.times(ref)
		late := f.o.LateFetches && ref&3 == inPolls
		if k := known[place].before(invoke); stable >= 0 && stable < k.to && !late {
			r.add(f.ops(k.to, k.by, ref), "%v was stable up to %d, and then up to %d", f.places[place].Place, k.to, stable)
		}
		known[place].raise(ret, max(stable, least), ref)
	})
}

// knownStable is the last stable offset that an operation was told, or Unknown, and what
// it cannot be below.
func (f *facts) knownStable(ref opRef) (place int32, stable, least int64) {
	var invoke int64
	place, stable, least = -1, history.Unknown, history.Unknown
	switch i := int(ref >> 2); ref & 3 {
	case inPolls:
		p := &f.h.Polls[i]
		place, stable, invoke = p.Place, p.Stable, p.Invoke
		if n := len(p.Records); n > 0 && p.Isolation == history.Committed {
			least = p.Records[n-1].Offset + 1
		}
	case inOps:
		op := &f.h.Ops[i]
		if op.Outcome != history.OK || op.Isolation != history.Committed {
			break
		}
		invoke = op.Invoke
		switch {
		case op.Kind == history.ListOffset && op.Spec == history.Latest:
			place, stable = f.h.PlaceID(op.Topic, op.Partition), op.Offset
		case op.Kind == history.Drain:
			place, stable = f.h.PlaceID(op.Topic, op.Partition), op.High
		}
	}
	if place < 0 || f.places[place].Foreign || invoke <= f.places[place].since {
		return -1, -1, -1
	}
	return place, stable, least
}
