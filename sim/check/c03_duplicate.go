package check

// C3: a record of an idempotent producer is at one offset.

func checkDuplicates(f *facts, r *report) {
	for _, c := range f.repeats {
		pl := f.places[c.place]
		if pl.Loose {
			continue
		}
		if r.full() {
			r.more++
			continue
		}
		s := &f.h.Sends[c.send]
		r.add(f.ops(c.offset, append(f.readers(c.place, f.seen[c.send]), c.by, sendRef(int(c.send)))...),
			"%v is at %d and at %d of %v", s.Value, f.seen[c.send], c.offset, pl.Place)
	}
}
