package check

import (
	"slices"

	"github.com/odradek/odradek/sim/history"
)

// C17: when faults are over everything lives again. After the last Heal and a grace, what is
// asked is answered in time, with an answer that says what happened; each partition is read
// to its end; no transaction is left open in what is read as committed; and groups that are
// to read a topic have read all of it.

func checkLife(f *facts, r *report) {
	for i := range f.h.Ops {
		if op := &f.h.Ops[i]; op.Kind == history.Drain && op.Outcome != history.OK {
			r.add(f.ops(0, otherRef(i)), "%s-%d could not be read to its end", op.Topic, op.Partition)
		}
	}
	if f.o.Life != (Life{}) {
		f.checkAnswers(r)
	}
	f.checkHanging(r)
	for name, g := range f.o.Groups {
		if len(g.Complete) > 0 {
			f.checkComplete(r, name, g.Complete)
		}
	}
}

// checkAnswers looks at what was asked when all was well.
func (f *facts) checkAnswers(r *report) {
	healed, end := int64(-1), int64(0)
	f.inTime(func(ref opRef, ret int64) {
		if ret != history.Never {
			end = max(end, ret)
		}
		if ref&3 == inOps && f.h.Ops[ref>>2].Kind == history.Heal {
			healed = ret
		}
	})
	if healed < 0 {
		return
	}
	from, bound := healed+int64(f.o.Life.Within), int64(f.o.Life.Bound)
	f.inTime(func(ref opRef, ret int64) {
		invoke, _ := f.times(ref)
		if invoke < from || invoke > end-bound || !f.answerable(ref) {
			return
		}
		switch {
		case ret == history.Never:
			r.add(f.ops(0, ref), "asked %d ms after faults were over, and never answered", (invoke-healed)/1e6)
		case ret-invoke > bound:
			r.add(f.ops(0, ref), "asked %d ms after faults were over, and answered after %d ms", (invoke-healed)/1e6, (ret-invoke)/1e6)
		case ref&3 == inSends && f.h.Sends[ref>>2].Outcome == history.Info, ref&3 == inOps && f.h.Ops[ref>>2].Outcome == history.Info:
			r.add(f.ops(0, ref), "asked %d ms after faults were over, and not answered well", (invoke-healed)/1e6)
		}
	})
}

// answerable tells whether an operation is a question that the cluster answers at once.
func (f *facts) answerable(ref opRef) bool {
	switch ref & 3 {
	case inSends:
		return f.h.Sends[ref>>2].Acks != history.AcksNone
	case inPolls:
		return false // polls wait for records
	}
	switch f.h.Ops[ref>>2].Kind {
	case history.Seek, history.Drain, history.BeginTxn, history.Assign, history.Revoke, history.Lost, history.Fault, history.Heal,
		history.Allow, history.Forbid, history.Access, history.ShareAcquire:
		return false
	}
	return true
}

// checkHanging compares what is committed with what is there, when nobody writes.
func (f *facts) checkHanging(r *report) {
	for _, pl := range f.places {
		all, com := pl.drained[history.Uncommitted], pl.drained[history.Committed]
		if all == nil || com == nil || com.High >= all.High {
			continue
		}
		first := min(all.Invoke, com.Invoke)
		if slices.ContainsFunc(f.h.Sends, func(s history.Sent) bool { return s.Invoke > first }) {
			continue
		}
		r.add([]history.Op{*all.Op, *com.Op}, "%v goes to %d, and is stable up to %d only, though nobody writes any more", pl.Place, all.High, com.High)
	}
}

// checkComplete looks for records that no member of a group was ever given.
func (f *facts) checkComplete(r *report, group string, topics []string) {
	given := make([]bool, len(f.h.Sends))
	for i := range f.h.Polls {
		p := &f.h.Polls[i]
		if f.h.Strings[p.Group] != group {
			continue
		}
		for _, rec := range p.Records {
			if n := f.find(rec.Value); n >= 0 {
				given[n] = true
			}
		}
	}
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		pl := f.places[s.Place]
		if f.flags[i]&drainedCommitted != 0 && !given[i] && slices.Contains(topics, pl.Place.Topic) {
			r.add(f.ops(f.seen[i], sendRef(i)), "%v is at %d of %v, and nobody of group %s was ever given it", s.Value, f.seen[i], pl.Place, group)
		}
	}
}
