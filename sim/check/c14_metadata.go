package check

import (
	"maps"
	"slices"

	"github.com/odradek/odradek/sim/history"
)

// C14: a topic, a config, a rule is a register: what creates, alters and deletes it changes
// it, and who asks where it is decided reads it. A broker's copy may be late, but it shows
// nothing that was not, and once it showed a change it does not show an earlier one; nor
// does its place in the cluster's log go back.

func checkMetadata(f *facts, r *report) {
	keys := make(map[string]*register)
	copies := make(map[brokerKey][]opRef)
	written := make(map[keyValue][]opRef)
	done := make(map[keyValue]int64)
	places := make(map[int32]*stairs)
	for i := range f.h.Ops {
		op, ref := &f.h.Ops[i], otherRef(i)
		switch op.Kind {
		case history.Put, history.Create, history.Remove, history.Get, history.Allow, history.Forbid:
			if a, ok := actOf(op, ref); ok {
				if keys[op.Key] == nil {
					keys[op.Key] = new(register)
				}
				keys[op.Key].acts = append(keys[op.Key].acts, a)
			}
			if op.Outcome != history.Fail && (op.Kind == history.Put || op.Kind == history.Create) {
				written[keyValue{op.Key, op.Text}] = append(written[keyValue{op.Key, op.Text}], ref)
			}
		case history.GetStale:
			if op.Outcome == history.OK && !op.Absent {
				copies[brokerKey{op.Broker, op.Key}] = append(copies[brokerKey{op.Broker, op.Key}], ref)
				if at, ok := done[keyValue{op.Key, op.Text}]; !ok || op.Return < at {
					done[keyValue{op.Key, op.Text}] = op.Return
				}
			}
		case history.MetadataOffset:
			if op.Outcome != history.OK {
				continue
			}
			if places[op.Broker] == nil {
				places[op.Broker] = new(stairs)
			}
			if k := places[op.Broker].before(op.Invoke); k.to > op.Offset {
				r.add(f.ops(0, k.by, ref), "broker %d went back in the cluster's log from %d to %d", op.Broker, k.to, op.Offset)
			}
			places[op.Broker].raise(op.Return, op.Offset, ref)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		keys[key].report(f, r, key)
	}
	for _, all := range copies {
		f.checkCopy(r, all, written, done)
	}
}

type brokerKey struct {
	broker int32
	key    string
}

type keyValue struct{ key, value string }

// actOf is what an operation says of its key; false if it says nothing.
func actOf(op *history.Op, ref opRef) (act, bool) {
	a := act{value: op.Text, invoke: op.Invoke, ret: op.Return, by: ref}
	switch {
	case op.Outcome == history.Info && op.Kind != history.Get:
		a.ret = history.Never
		a.do = map[history.Kind]deed{history.Create: makeNew, history.Remove: unset}[op.Kind] // others set
	case op.Kind == history.Create && op.Outcome == history.Fail && op.Err == "exists":
		a.do = sawSome
	case op.Kind == history.Remove && op.Outcome == history.Fail && op.Err == "absent":
		a.do = sawNone
	case op.Outcome != history.OK:
		return a, false
	case op.Kind == history.Put, op.Kind == history.Allow, op.Kind == history.Forbid:
		a.do = set
	case op.Kind == history.Create:
		a.do = madeNew
	case op.Kind == history.Remove:
		a.do = unsetOld
	case op.Absent:
		a.do = sawNone
	default:
		a.do = saw
	}
	return a, true
}

// checkCopy looks at what one broker showed of one key. Only values that were written once
// tell when. A write whose end nobody was told may be done at any time, long after who asked
// for it went away; that it is done is known once a broker has shown it, as done tells.
func (f *facts) checkCopy(r *report, all []opRef, written map[keyValue][]opRef, done map[keyValue]int64) {
	var newest stairs // the latest invocation of what the broker has shown
	for _, ref := range all {
		op := &f.h.Ops[ref>>2]
		by := written[keyValue{op.Key, op.Text}]
		if len(by) == 0 {
			r.add(f.ops(0, ref), "broker %d shows %s as %q, which it never was", op.Broker, op.Key, op.Text)
			continue
		}
		if len(by) > 1 {
			continue
		}
		write, end := &f.h.Ops[by[0]>>2], done[keyValue{op.Key, op.Text}]
		if write.Outcome == history.OK {
			end = min(end, write.Return)
		}
		if write.Invoke > op.Return {
			r.add(f.ops(0, ref, by[0]), "broker %d shows %s as %q, before anybody made it so", op.Broker, op.Key, op.Text)
		}
		if shown := newest.before(op.Invoke); end < shown.to {
			r.add(f.ops(0, shown.by, ref), "broker %d showed %s as %q, and later as %q, which was before that",
				op.Broker, op.Key, f.h.Ops[shown.by>>2].Text, op.Text)
		}
		newest.raise(op.Return, write.Invoke, ref)
	}
}
