package check

import (
	"github.com/odradek/odradek/sim/history"
)

// opRef points to an operation of the history: its index, and in which list.
type opRef int64

const (
	noOp opRef = -1

	inSends = iota
	inPolls
	inOps
)

func sendRef(i int) opRef  { return opRef(i)<<2 | inSends }
func pollRef(i int) opRef  { return opRef(i)<<2 | inPolls }
func otherRef(i int) opRef { return opRef(i)<<2 | inOps }

// times are when the operation took place.
func (f *facts) times(ref opRef) (invoke, ret int64) {
	switch i := int(ref >> 2); ref & 3 {
	case inSends:
		return f.h.Sends[i].Invoke, f.h.Sends[i].Return
	case inPolls:
		return f.h.Polls[i].Invoke, f.h.Polls[i].Return
	default:
		return f.h.Ops[i].Invoke, f.h.Ops[i].Return
	}
}

// op is the operation as a whole, of whose records only those near offset are left.
func (f *facts) op(ref opRef, offset int64) history.Op {
	switch i := int(ref >> 2); ref & 3 {
	case inSends:
		return f.h.Sends[i].Op(f.h)
	case inPolls:
		return cut(f.h.Polls[i].Op(f.h), offset)
	default:
		return cut(f.h.Ops[i], offset)
	}
}

// ops are several of them; noOp is left out.
func (f *facts) ops(offset int64, refs ...opRef) (all []history.Op) {
	for _, ref := range refs {
		if ref != noOp {
			all = append(all, f.op(ref, offset))
		}
	}
	return all
}

// cut leaves the records that are at most two away from offset, in their order.
func cut(op history.Op, offset int64) history.Op {
	var near history.Reads
	for _, r := range op.Records {
		if d := r.Offset - offset; -2 <= d && d <= 2 {
			near = append(near, r)
		}
	}
	op.Records, op.Deliveries = near, nil
	return op
}

// readers returns polls, a few at most, that read an offset.
func (f *facts) readers(placeID int32, offset int64) (all []opRef) {
	for i := range f.h.Polls {
		p := &f.h.Polls[i]
		if p.Place != placeID {
			continue
		}
		for _, r := range p.Records {
			if r.Offset == offset {
				all = append(all, pollRef(i))
				break
			}
		}
		if len(all) == 2 {
			break
		}
	}
	return all
}
