package check

import "github.com/odradek/odradek/sim/history"

// fate is what became of a transaction.
type fate uint8

const (
	// undecided: nobody was told, and nothing shows it.
	undecided fate = iota
	committed
	aborted
)

// txn is a transaction of the history.
type txn struct {
	id      int64
	process int32
	begin   *history.Op
	ends    []opRef
	sends   []int32
	// offsets are its CommitOffset operations.
	offsets []opRef
	// asked is when a commit was asked for first, by an attempt that may have worked, or
	// Never. answered is when an end was first told to be done, or Never.
	asked, answered int64
	// told is what clients were told, fate what they were told or records show.
	told, fate fate
	// both: it was told to be committed, and to be aborted.
	both bool
}

func (f *facts) txn(id int64) *txn {
	t := f.txns[id]
	if t == nil {
		t = &txn{id: id, asked: history.Never, answered: history.Never}
		f.txns[id] = t
	}
	return t
}

func (f *facts) gatherTxns() {
	f.txns = make(map[int64]*txn)
	for i := range f.h.Sends {
		if s := &f.h.Sends[i]; s.Txn != 0 {
			t := f.txn(s.Txn)
			t.sends, t.process = append(t.sends, int32(i)), s.Process
		}
	}
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		switch {
		case op.Txn == 0:
		case op.Kind == history.BeginTxn:
			f.txn(op.Txn).begin = op
		case op.Kind == history.CommitOffset:
			f.txn(op.Txn).offsets = append(f.txn(op.Txn).offsets, otherRef(i))
		case op.Kind == history.EndTxn:
			f.txn(op.Txn).end(op, otherRef(i))
		}
	}
	for _, t := range f.txns {
		// Nobody can have committed what nobody asked to commit.
		if t.asked == history.Never {
			t.told = aborted
		}
		t.fate = t.told
	}
}

func (t *txn) end(op *history.Op, ref opRef) {
	t.ends = append(t.ends, ref)
	if op.Commit && op.Outcome != history.Fail {
		t.asked = min(t.asked, op.Invoke)
	}
	if op.Outcome != history.OK {
		return
	}
	t.answered = min(t.answered, op.Return)
	now := aborted
	if op.Commit {
		now = committed
	}
	t.both = t.both || t.told != undecided && t.told != now
	t.told = now
}

// decideTxns lets records decide what clients were not told.
func (f *facts) decideTxns() {
	for _, t := range f.txns {
		if t.told != undecided {
			continue
		}
		missing := false
		for _, i := range t.sends {
			if f.flags[i]&readCommitted != 0 {
				t.fate = committed
			}
			missing = missing || f.judged(int(i)) && f.flags[i]&drainedCommitted == 0
		}
		if t.fate == undecided && missing {
			t.fate = aborted
		}
	}
}

// judged tells whether a send must show in the drain of what is committed, if its
// transaction was.
func (f *facts) judged(i int) bool {
	s := &f.h.Sends[i]
	pl := f.places[s.Place]
	d := pl.drained[history.Committed]
	return f.owed(s) && !pl.Compacted && d != nil && s.Return < d.Invoke && (s.Offset < 0 || s.Offset >= d.Start)
}

// eachCommitted visits what was read, as committed, of what was sent in transactions.
func (f *facts) eachCommitted(visit func(send int, p *history.Fetched, ref opRef, offset int64)) {
	if len(f.txns) == 0 {
		return
	}
	for n := range f.h.Polls {
		p := &f.h.Polls[n]
		if f.places[p.Place].Foreign || p.Isolation != history.Committed {
			continue
		}
		for _, rec := range p.Records {
			if i := f.find(rec.Value); i >= 0 && f.h.Sends[i].Txn != 0 && f.h.Sends[i].Place == p.Place {
				visit(i, p, pollRef(n), rec.Offset)
			}
		}
	}
}
