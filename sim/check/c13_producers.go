package check

import (
	"maps"
	"slices"

	"github.com/odradek/odradek/sim/history"
)

// C13: a producer id is given to one producer. The epochs of a transactional id rise; and
// when a higher epoch of an id was handed out, the cluster takes nothing of a lower one.

func checkProducers(f *facts, r *report) {
	given := make(map[int64][]opRef)
	for i := range f.h.Ops {
		op, ref := &f.h.Ops[i], otherRef(i)
		if op.Kind != history.InitProducer || op.Outcome != history.OK {
			continue
		}
		if op.ProducerID < 0 || op.ProducerEpoch < 0 {
			r.add(f.ops(0, ref), "a producer was given id %d and epoch %d", op.ProducerID, op.ProducerEpoch)
			continue
		}
		for _, before := range given[op.ProducerID] {
			was := &f.h.Ops[before>>2]
			switch {
			case was.TransactionalID != op.TransactionalID:
				r.add(f.ops(0, before, ref), "producer id %d was given to two", op.ProducerID)
			case was.ProducerEpoch == op.ProducerEpoch:
				r.add(f.ops(0, before, ref), "epoch %d of producer id %d was given twice", op.ProducerEpoch, op.ProducerID)
			case was.Return < op.Invoke && was.ProducerEpoch > op.ProducerEpoch, op.Return < was.Invoke && op.ProducerEpoch > was.ProducerEpoch:
				r.add(f.ops(0, before, ref), "producer id %d went back from epoch %d to %d", op.ProducerID, was.ProducerEpoch, op.ProducerEpoch)
			}
		}
		given[op.ProducerID] = append(given[op.ProducerID], ref)
	}
	checkRotation(f, r)
	f.checkZombies(r, given)
}

// checkRotation looks for a transactional id that goes back to a producer id it left.
func checkRotation(f *facts, r *report) {
	ids := make(map[string][]opRef)
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		if op.Kind != history.InitProducer || op.Outcome != history.OK || op.TransactionalID == "" {
			continue
		}
		all := ids[op.TransactionalID]
		for n, before := range all {
			was := &f.h.Ops[before>>2]
			left := slices.IndexFunc(all[n:], func(other opRef) bool {
				o := &f.h.Ops[other>>2]
				return o.ProducerID != op.ProducerID && was.Return < o.Invoke && o.Return < op.Invoke
			})
			if was.ProducerID == op.ProducerID && left >= 0 {
				r.add(f.ops(0, before, all[n+left], otherRef(i)), "%s was given producer id %d again, after another", op.TransactionalID, op.ProducerID)
				break
			}
		}
		ids[op.TransactionalID] = append(all, otherRef(i))
	}
}

// checkZombies looks for what was taken of an epoch after a higher one was handed out.
func (f *facts) checkZombies(r *report, given map[int64][]opRef) {
	epochs := make(map[int64]*stairs)
	for _, id := range slices.Collect(maps.Keys(given)) {
		epochs[id] = new(stairs)
		for _, ref := range given[id] { // in the order of their returns
			op := &f.h.Ops[ref>>2]
			epochs[id].raise(op.Return, int64(op.ProducerEpoch), ref)
		}
	}
	taken := func(id int64, epoch int32, invoke int64, ref opRef) {
		if s := epochs[id]; s != nil && id >= 0 && epoch >= 0 {
			if k := s.before(invoke); k.to > int64(epoch) {
				r.add(f.ops(0, k.by, ref), "producer %d was taken at its word in epoch %d, after epoch %d was given", id, epoch, k.to)
			}
		}
	}
	for i := range f.h.Sends {
		if s := &f.h.Sends[i]; s.Outcome == history.OK && s.Acks != history.AcksNone {
			taken(s.ProducerID, int32(s.ProducerEpoch), s.Invoke, sendRef(i))
		}
	}
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		if kind := op.Kind == history.EndTxn || op.Kind == history.CommitOffset; kind && op.Outcome == history.OK {
			taken(op.ProducerID, op.ProducerEpoch, op.Invoke, otherRef(i))
		}
	}
}
