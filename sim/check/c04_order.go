package check

import (
	"maps"
	"slices"

	"github.com/odradek/odradek/sim/history"
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
	known := make([]stairs, len(f.places))
	f.inTime(func(ref opRef, ret int64) {
		place, high := f.knownHigh(ref)
		if place >= 0 && ret != history.Never {
			known[place].raise(ret, high, ref)
		}
	})
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		at := f.offset(i)
		if at < 0 || f.places[s.Place].Loose {
			continue
		}
		if k := known[s.Place].before(s.Invoke); k.to > at {
			r.add(f.ops(k.to-1, k.by, sendRef(i)), "%v is at %d of %v, which was known to go to %d before it was sent",
				s.Value, at, f.places[s.Place].Place, k.to)
		}
	}
}

// knownHigh is below what a partition's high watermark cannot be once the operation has
// returned, or place -1 if it says nothing of it.
func (f *facts) knownHigh(ref opRef) (place int32, high int64) {
	place, high = -1, -1
	var invoke int64
	switch i := int(ref >> 2); ref & 3 {
	case inSends:
		if s := &f.h.Sends[i]; f.owed(s) && s.Offset >= 0 {
			return s.Place, s.Offset + 1
		}
	case inPolls:
		p := &f.h.Polls[i]
		place, high, invoke = p.Place, max(p.High, p.Stable), p.Invoke
		if n := len(p.Records); n > 0 {
			high = max(high, p.Records[n-1].Offset+1)
		}
	case inOps:
		op := &f.h.Ops[i]
		if op.Outcome != history.OK {
			return -1, -1
		}
		switch {
		case op.Kind == history.ListOffset && (op.Spec == history.Latest || op.Spec == history.Earliest):
			place, high = f.h.PlaceID(op.Topic, op.Partition), op.Offset
		case op.Kind == history.Drain:
			place, high = f.h.PlaceID(op.Topic, op.Partition), op.High
		case op.Kind == history.DeleteRecords:
			place, high = f.h.PlaceID(op.Topic, op.Partition), op.Start
		case op.Kind == history.ShareAcquire && len(op.Records) > 0:
			place, high = f.h.PlaceID(op.Topic, op.Partition), op.Records[len(op.Records)-1].Offset+1
		}
		invoke = op.Invoke
	}
	if place < 0 || high < 0 || f.places[place].Foreign || invoke <= f.places[place].since {
		return -1, -1
	}
	return place, high
}

// inTime visits all operations in the order in which they returned.
func (f *facts) inTime(visit func(ref opRef, ret int64)) {
	s, p, o := f.h.Sends, f.h.Polls, f.h.Ops
	for i, j, k := 0, 0, 0; i < len(s) || j < len(p) || k < len(o); {
		send, poll, op := int64(history.Never), int64(history.Never), int64(history.Never)
		if i < len(s) {
			send = s[i].Return
		}
		if j < len(p) {
			poll = p[j].Return
		}
		if k < len(o) {
			op = o[k].Return
		}
		switch {
		case i < len(s) && send <= poll && send <= op:
			visit(sendRef(i), send)
			i++
		case j < len(p) && poll <= op:
			visit(pollRef(j), poll)
			j++
		default:
			visit(otherRef(k), op)
			k++
		}
	}
}
