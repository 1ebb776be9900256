package check

import (
	"maps"
	"slices"

	"github.com/odradek/odradek/sim/history"
)

// C19: a share group is done with a record once. After a record was accepted or rejected
// and the answer came, nobody is given it again; it is accepted or rejected by one
// acknowledgement only (but see Options.LateAcks); and what is there at the end was
// acknowledged, or given as often as is allowed: none is lost. Nobody acknowledges with
// success what was never given to it.
// (What is given was sent: C2 to C5.)

func checkShares(f *facts, r *report) {
	done, given := make(map[shared]opRef), make(map[shared]*deliveries)
	for i := range f.h.Ops {
		op, ref := &f.h.Ops[i], otherRef(i)
		switch op.Kind {
		case history.ShareAcquire:
			f.acquired(r, op, ref, done, given)
		case history.ShareAck:
			f.acknowledged(r, op, ref, done, given)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.o.ShareGroups)) {
		f.checkShared(r, name, f.o.ShareGroups[name], done, given)
	}
}

// shared is a record as a share group sees it.
type shared struct {
	group  string
	place  history.Place
	offset int64
}

// deliveries are how often a record was given, and to whom.
type deliveries struct {
	times   int16
	to      []int32
	by      opRef
	settled bool // an acknowledgement that may have worked was sent
}

func (f *facts) acquired(r *report, op *history.Op, ref opRef, done map[shared]opRef, given map[shared]*deliveries) {
	if op.Outcome != history.OK {
		return
	}
	for n, rec := range op.Records {
		at := shared{op.Group, history.Place{Topic: op.Topic, Partition: op.Partition}, rec.Offset}
		if before, ok := done[at]; ok && f.h.Ops[before>>2].Return < op.Invoke {
			r.add(f.ops(rec.Offset, before, ref), "%d of %v was done with in group %s, and was given to %s", rec.Offset, at.place, op.Group, op.Member)
		}
		d := given[at]
		if d == nil {
			d = &deliveries{by: ref}
			given[at] = d
		}
		if d.times++; op.Deliveries != nil {
			d.times = max(d.times, op.Deliveries[n])
		}
		if !slices.Contains(d.to, op.Process) {
			d.to = append(d.to, op.Process)
		}
	}
}

func (f *facts) acknowledged(r *report, op *history.Op, ref opRef, done map[shared]opRef, given map[shared]*deliveries) {
	if op.Outcome == history.Fail || op.Ack != history.Accept && op.Ack != history.Reject {
		return
	}
	for _, rec := range op.Records {
		at := shared{op.Group, history.Place{Topic: op.Topic, Partition: op.Partition}, rec.Offset}
		d := given[at]
		if d == nil {
			d = &deliveries{by: noOp}
			given[at] = d
		}
		d.settled = true
		if op.Outcome != history.OK {
			continue
		}
		if !slices.Contains(d.to, op.Process) {
			r.add(f.ops(rec.Offset, d.by, ref), "%d of %v was acknowledged in group %s by %s, which was never given it", rec.Offset, at.place, op.Group, op.Member)
		}
		switch before, ok := done[at]; {
		case !ok:
			done[at] = ref
		case !f.o.LateAcks:
			r.add(f.ops(rec.Offset, before, ref), "%d of %v was done with twice in group %s", rec.Offset, at.place, op.Group)
		}
	}
}

// checkShared looks for records that a group is not done with.
func (f *facts) checkShared(r *report, group string, g ShareGroup, done map[shared]opRef, given map[shared]*deliveries) {
	for i := range f.h.Sends {
		s := &f.h.Sends[i]
		pl := f.places[s.Place]
		if f.flags[i]&drainedCommitted == 0 || !slices.Contains(g.Complete, pl.Place.Topic) {
			continue
		}
		at := shared{group, pl.Place, f.seen[i]}
		d := given[at]
		if _, ok := done[at]; ok || d != nil && (d.settled || g.Deliveries > 0 && d.times >= g.Deliveries) {
			continue
		}
		if d == nil {
			r.add(f.ops(f.seen[i], sendRef(i)), "%v is at %d of %v, and was never given to group %s", s.Value, f.seen[i], pl.Place, group)
		} else {
			r.add(f.ops(f.seen[i], sendRef(i), d.by), "%v at %d of %v was given to group %s, which is not done with it", s.Value, f.seen[i], pl.Place, group)
		}
	}
}
