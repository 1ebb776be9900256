package check

import "github.com/odradek/odradek/sim/history"

// C5: what is read was sent: to this partition, before it was read, and by a send that is
// not known to have failed. A reader of what is committed sees nothing of a transaction
// that was aborted (G1a). What was deleted with its topic does not come back.

func checkPhantoms(f *facts, r *report) {
	for _, s := range f.strangers {
		what := "that nobody sent: " + s.value.String()
		if s.value == 0 {
			what = "that is torn, or of somebody else"
		}
		r.add(f.ops(s.offset, s.by), "offset %d of %v has a record %s", s.offset, f.places[s.place].Place, what)
	}
	for _, c := range f.misplaced {
		r.add(f.ops(c.offset, c.by, sendRef(int(c.send))), "%v is at %d of %v, and was sent elsewhere",
			f.h.Sends[c.send].Value, c.offset, f.places[c.place].Place)
	}
	for _, c := range f.ghosts {
		r.add(f.ops(c.offset, c.by, sendRef(int(c.send))), "%v is at %d of %v, and was deleted with its topic",
			f.h.Sends[c.send].Value, c.offset, f.places[c.place].Place)
	}
	for _, c := range f.tooSoon {
		r.add(f.ops(c.offset, c.by, sendRef(int(c.send))), "%v was read at %d of %v before it was sent",
			f.h.Sends[c.send].Value, c.offset, f.places[c.place].Place)
	}
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		if f.flags[i]&readThere == 0 {
			continue
		}
		switch t := f.txns[s.Txn]; {
		case s.Outcome == history.Fail:
			f.read(r, i, readThere, "%v was refused, and is at %d of %v")
		case f.flags[i]&readCommitted != 0 && t != nil && t.fate == aborted:
			f.read(r, i, readCommitted, "%v is of a transaction that was aborted, and was read as committed at %d of %v")
		}
	}
}

// read adds a violation about a send whose record was read.
func (f *facts) read(r *report, i int, flag uint8, format string) {
	if r.full() {
		r.more++
		return
	}
	s := &f.h.Sends[i]
	refs := []opRef{sendRef(i)}
	for _, ref := range f.readers(s.Place, f.seen[i]) {
		if flag != readCommitted || f.h.Polls[ref>>2].Isolation == history.Committed {
			refs = append(refs, ref)
		}
	}
	if t := f.txns[s.Txn]; t != nil {
		refs = append(refs, t.ends...)
	}
	r.add(f.ops(f.seen[i], refs...), format, s.Value, f.seen[i], f.places[s.Place].Place)
}
