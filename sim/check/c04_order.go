package check

import (
	"maps"
	"slices"
)

// C4: a producer's records are in a partition in the order in which they were handed to
// it; and what was sent after another was acknowledged, or read, or below the high
// watermark, has a higher offset.

func checkOrder(f *facts, r *report) {
	last := make([]int32, len(f.places)) // 1 + the producer's last send there
	for _, producer := range slices.Sorted(maps.Keys(f.dense)) {
		clear(last)
		for _, n := range f.dense[producer] {
			if n > 0 {
				f.follows(last, n-1, r)
			}
		}
	}
	clear(last)
	producer := int32(0)
	for _, v := range slices.Sorted(maps.Keys(f.sparse)) {
		if v.Producer() != producer {
			clear(last)
			producer = v.Producer()
		}
		f.follows(last, f.sparse[v], r)
	}
	checkRealTime(f, r)
}

// follows holds a send against the one before it of the same producer in the same place.
func (f *facts) follows(last []int32, i int32, r *report) {
	s := &f.h.Sends[i]
	at := f.offset(int(i))
	if at < 0 || f.places[s.Place].Loose {
		return
	}
	if before := int(last[s.Place]) - 1; before >= 0 && f.offset(before) > at {
		r.add(f.ops(at, sendRef(before), sendRef(int(i))), "%v is at %d of %v, before %v at %d, which was sent first",
			s.Value, at, f.places[s.Place].Place, f.h.Sends[before].Value, f.offset(before))
		return
	}
	last[s.Place] = i + 1
}

// checkRealTime holds each record's offset against what was known before it was sent.
func checkRealTime(f *facts, r *report) {
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		at := f.offset(i)
		if at < 0 || f.places[s.Place].Loose {
			continue
		}
		if k := f.places[s.Place].known.before(s.Invoke); k.to > at {
			r.add(f.ops(k.to-1, k.by, sendRef(i)), "%v is at %d of %v, which was known to go to %d before it was sent",
				s.Value, at, f.places[s.Place].Place, k.to)
		}
	}
}
