package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/odradek/odradek/sim/history"
)

// C12: the offset of a group in a partition is a register: commits and deletions change it,
// questions read it, in an order that agrees with time. What is committed in a transaction
// counts from its request to the end of the transaction, if that was committed, as it was
// told or as its records show (C6); only who asks for what is stable must see it, and a
// register that transactions change is held to such questions alone.

func checkCommits(f *facts, r *report) {
	offsets := make(map[groupPlace]*register)
	stable := make(map[groupPlace]bool)
	for i := range f.h.Ops {
		if op := &f.h.Ops[i]; op.Kind == history.CommitOffset && op.Txn != 0 {
			stable[groupPlace{op.Group, history.Place{Topic: op.Topic, Partition: op.Partition}}] = true
		}
	}
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		at := groupPlace{op.Group, history.Place{Topic: op.Topic, Partition: op.Partition}}
		a := act{value: strconv.FormatInt(op.Offset, 10), invoke: op.Invoke, ret: op.Return, by: otherRef(i)}
		switch op.Kind {
		case history.CommitOffset:
			if op.Txn != 0 && !f.inTxn(op, &a) || op.Outcome == history.Fail {
				continue
			}
		case history.DeleteOffset:
			if a.do = unset; op.Outcome == history.Fail {
				continue
			}
		case history.FetchOffset:
			if op.Outcome != history.OK || stable[at] && !op.RequireStable {
				continue
			}
			if a.do = saw; op.Offset < 0 {
				a.do = sawNone
			}
		default:
			continue
		}
		if op.Outcome == history.Info {
			a.ret = history.Never
		}
		if offsets[at] == nil {
			offsets[at] = new(register)
		}
		offsets[at].acts = append(offsets[at].acts, a)
	}
	for _, at := range slices.SortedFunc(maps.Keys(offsets), func(a, b groupPlace) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.place.Topic, b.place.Topic), cmp.Compare(a.place.Partition, b.place.Partition))
	}) {
		offsets[at].report(f, r, fmt.Sprintf("the offset of %s in %v", at.group, at.place))
	}
}

// inTxn puts the end of a commit in a transaction where the transaction's is. It is false
// if the transaction was aborted.
func (f *facts) inTxn(op *history.Op, a *act) bool {
	switch t := f.txns[op.Txn]; {
	case t.fate == aborted:
		return false
	case t.fate == committed && t.told == committed:
		a.ret = max(op.Return, t.answered)
	default:
		a.ret = history.Never
	}
	return true
}
