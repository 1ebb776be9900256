package check

// C2: an offset has one record, for all readers and at all times, and it is the one whose
// producer was told so.

func checkOffsets(f *facts, r *report) {
	for _, c := range f.conflicts {
		if r.full() {
			r.more++
			continue
		}
		refs := []opRef{c.by}
		if c.other >= 0 {
			refs = append(refs, sendRef(int(c.other)))
		}
		if c.send >= 0 {
			refs = append(refs, sendRef(int(c.send)))
		}
		refs = append(refs, f.readers(c.place, c.offset)...)
		r.add(f.ops(c.offset, refs...), "offset %d of %v has two records: %s and %s", c.offset,
			f.places[c.place].Place, f.name(c.send), f.name(c.other))
	}
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		if f.owed(s) && s.Offset >= 0 && f.seen[i] >= 0 && f.seen[i] != s.Offset {
			if r.full() {
				r.more++
				continue
			}
			r.add(f.ops(f.seen[i], append(f.readers(s.Place, f.seen[i]), sendRef(i))...),
				"%v was acknowledged at %d of %v and read at %d", s.Value, s.Offset, f.places[s.Place].Place, f.seen[i])
		}
	}
}

func (f *facts) name(send int32) string {
	if send < 0 {
		return "one that nobody sent"
	}
	return f.h.Sends[send].Value.String()
}
