package check

import "github.com/odradek/odradek/sim/history"

// C0: the history does not contradict itself. What it finds is a mistake of who wrote it,
// and no other check could be believed.

func checkHistory(f *facts, r *report) {
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		if s.Value.Producer() == 0 {
			r.add(f.ops(s.Offset, sendRef(i)), "a send without a value")
		}
		if s.Outcome == history.OK && s.Acks != history.AcksNone && s.Offset < history.Unknown {
			r.add(f.ops(s.Offset, sendRef(i)), "an offset below -1")
		}
		checkTimes(f, r, s.Invoke, s.Return, s.Outcome, sendRef(i))
	}
	var twice int
	if f.index, twice = newIndex(f.h.Sends); twice >= 0 {
		r.add(f.ops(0, sendRef(twice)), "the value %v was sent twice", f.h.Sends[twice].Value)
	}
	for i := range f.h.Polls {
		p := &f.h.Polls[i]
		checkTimes(f, r, p.Invoke, p.Return, history.OK, pollRef(i))
	}
	began := make(map[int64]bool)
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		checkTimes(f, r, op.Invoke, op.Return, op.Outcome, otherRef(i))
		if bad := malformed(op); bad != "" {
			r.add(f.ops(0, otherRef(i)), "%s", bad)
		}
		if op.Kind == history.BeginTxn {
			if began[op.Txn] {
				r.add(f.ops(0, otherRef(i)), "transaction %d begins twice", op.Txn)
			}
			began[op.Txn] = true
		}
	}
}

func checkTimes(f *facts, r *report, invoke, ret int64, outcome history.Outcome, ref opRef) {
	if ret < invoke || ret == history.Never && outcome == history.OK {
		r.add(f.ops(0, ref), "an operation that begins at %d and ends at %d", invoke, ret)
	}
}

// malformed says what an operation lacks.
func malformed(op *history.Op) string {
	switch op.Kind {
	case history.BeginTxn, history.EndTxn:
		if op.Txn == 0 {
			return "a transaction without a number"
		}
	case history.Drain:
		if op.Outcome == history.OK && (op.Start < 0 || op.High < op.Start) {
			return "a drain without bounds"
		}
	case history.CommitOffset, history.FetchOffset, history.DeleteOffset, history.Assign,
		history.Revoke, history.Lost, history.Heartbeat, history.ShareAcquire, history.ShareAck:
		if op.Group == "" {
			return "an operation of a group that is not named"
		}
		if op.Deliveries != nil && len(op.Deliveries) != len(op.Records) {
			return "not every record says how often it was delivered"
		}
	case history.Put, history.Create, history.Remove, history.Get, history.GetStale, history.Allow, history.Forbid:
		if op.Key == "" {
			return "an operation on a key that is not named"
		}
	}
	return ""
}
