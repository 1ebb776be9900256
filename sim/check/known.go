package check

import "github.com/odradek/odradek/sim/history"

// gatherKnown notes how far each log was known to go, over time.
func (f *facts) gatherKnown() {
	f.inTime(func(ref opRef, ret int64) {
		if place, high := f.knownHigh(ref); place >= 0 && ret != history.Never {
			f.places[place].known.raise(ret, high, ref)
		}
	})
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
