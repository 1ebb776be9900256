package check

import (
	"slices"

	"github.com/odradek/odradek/sim/history"
)

// C16: the log keeps what it promised to keep. What is below its start was asked to be
// deleted, or is older than the retention, or has as many records after it as the topic
// keeps. In a compacted topic the last record of each key is there; a tombstone may go when
// it is old enough, and then no earlier record of its key is left.

func checkRetention(f *facts, r *report) {
	f.checkCut(r)
	for n, pl := range f.places {
		if !pl.Compacted || pl.Foreign {
			continue
		}
		d, flag := pl.drained[history.Uncommitted], drained
		if d == nil {
			d, flag = pl.drained[history.Committed], drainedCommitted
		}
		if d != nil {
			f.checkCompacted(r, int32(n), d, flag)
		}
	}
}

// checkCut looks at what is below the start of logs.
func (f *facts) checkCut(r *report) {
	starts, asked := make([]stairs, len(f.places)), make([]int64, len(f.places))
	f.inTime(func(ref opRef, ret int64) {
		if m := f.told(ref); m.place >= 0 && ret != history.Never {
			starts[m.place].raise(ret, m.start, ref)
		}
	})
	for i := range f.h.Ops {
		if op := &f.h.Ops[i]; op.Kind == history.DeleteRecords && op.Outcome != history.Fail {
			place := f.h.PlaceID(op.Topic, op.Partition)
			if asked[place] = max(asked[place], op.Offset); op.Offset < 0 {
				asked[place] = history.Never
			}
		}
	}
	ends := slices.Repeat([]int64{history.Unknown}, len(f.places))
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		pl := f.places[s.Place]
		all := starts[s.Place].steps
		if !f.owed(s) || s.Offset < asked[s.Place] || len(all) == 0 || all[len(all)-1].to <= s.Offset {
			continue
		}
		cut := all[slices.IndexFunc(all, func(st step) bool { return st.to > s.Offset })]
		if ends[s.Place] < 0 {
			ends[s.Place] = f.highestOf(s.Place)
		}
		switch {
		case pl.Retention > 0 && cut.at >= s.Invoke+int64(pl.Retention):
		case pl.RetentionRecords > 0 && ends[s.Place]-s.Offset > pl.RetentionRecords:
		default:
			r.add(f.ops(s.Offset, sendRef(i), cut.by), "%v at %d of %v is below the start of its log, %d, and nothing allowed to delete it",
				s.Value, s.Offset, pl.Place, cut.to)
		}
	}
}

// highestOf is above every record that is known of a log.
func (f *facts) highestOf(placeID int32) (end int64) {
	spots := &f.places[placeID].spots
	for n, page := range spots.all {
		for i := range page {
			if page[i].what != 0 {
				end = max(end, n<<pageBits+int64(i)+1)
			}
		}
	}
	return end
}

// checkCompacted holds a drain against the last record of each key.
func (f *facts) checkCompacted(r *report, placeID int32, d *drain, flag uint8) {
	top, busy := make(map[int32]int), make(map[int32]bool)
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		key, _ := s.KeyID()
		if s.Place != placeID {
			continue
		}
		// A key that is written while it is read may lose what it had.
		busy[key] = busy[key] || s.Return > d.Invoke && (s.Invoke > d.Invoke || s.Outcome == history.OK)
		if t := f.txns[s.Txn]; f.offset(i) < 0 || f.offset(i) >= d.High || t != nil && t.fate != committed {
			continue
		}
		if before, ok := top[key]; !ok || f.offset(before) < f.offset(i) {
			top[key] = i
		}
	}
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		key, _ := s.KeyID()
		last, ok := top[key]
		if !ok || busy[key] || s.Place != placeID || f.flags[last]&flag != 0 || f.offset(last) < d.Start {
			continue
		}
		t := &f.h.Sends[last]
		_, tombstone := t.KeyID()
		at := f.places[placeID].Place
		switch young := tombstone && d.Return < t.Invoke+int64(f.places[placeID].DeleteRetention); {
		case i == last && !tombstone:
			r.add(append(f.ops(f.offset(last), sendRef(last)), *d.Op), "%v at %d of %v is the last of key %q, and is gone",
				t.Value, f.offset(last), at, f.h.Strings[key])
		case i == last && young:
			r.add(append(f.ops(f.offset(last), sendRef(last)), *d.Op), "%v at %d of %v deleted key %q, and is gone before its time",
				t.Value, f.offset(last), at, f.h.Strings[key])
		case tombstone && f.flags[i]&flag != 0:
			r.add(append(f.ops(f.offset(i), sendRef(i), sendRef(last)), *d.Op), "%v at %d of %v is back: key %q was deleted at %d",
				s.Value, f.offset(i), at, f.h.Strings[key], f.offset(last))
		}
	}
}
