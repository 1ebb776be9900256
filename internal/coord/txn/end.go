package txn

import (
	"context"
	"errors"

	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// EndTxn decides a transaction. The answer leaves when the decision is committed; the
// markers follow. From version 5 on the client knows transactions of version 2: each end
// gives the producer its next epoch, or a new id when the epochs are used up, and a
// client that asks again is given the same.
func (s *Service) EndTxn(ctx context.Context, req *kmsg.EndTxnRequest) *kmsg.EndTxnResponse {
	resp := req.ResponseKind().(*kmsg.EndTxnResponse)
	who, err := s.endTxn(ctx, req)
	if err != nil {
		who = nobody
	}
	resp.ProducerID, resp.ProducerEpoch = who.id, who.epoch
	resp.ErrorCode = code(unfenced(err, req.Version < 2))
	return resp
}

func (s *Service) endTxn(ctx context.Context, req *kmsg.EndTxnRequest) (identity, error) {
	if req.TransactionalID == "" {
		return nobody, kerr.InvalidRequest
	}
	in := endInput{id: req.TransactionalID, who: identity{req.ProducerID, req.ProducerEpoch}, commit: req.Commit, fresh: noProducer}
	end := (*machine).end
	if req.Version >= 5 {
		end = (*machine).endAndBump
	}
	who, err := do(ctx, s, in.id, runtime.Independent, func(m *machine, t *runtime.Turn) (identity, *job, error) {
		return end(m, t, in)
	})
	if !errors.Is(err, errNeedsProducerID) {
		return who, err
	}
	if in.fresh, err = s.cfg.ProducerID(ctx); err != nil {
		return nobody, err
	}
	return do(ctx, s, in.id, runtime.Independent, func(m *machine, t *runtime.Turn) (identity, *job, error) {
		return end(m, t, in)
	})
}

type endInput struct {
	id     string
	who    identity
	commit bool
	fresh  int64 // noProducer: none was needed so far
}

// end is that of clients that keep their epoch. An end that came before is the answer
// again if it is the same one.
func (m *machine) end(t *runtime.Turn, in endInput) (identity, *job, error) {
	x := m.txns[in.id]
	switch {
	case x == nil && m.unborn(t, in.id), x != nil && x.busy(t):
		return nobody, nil, kerr.ConcurrentTransactions
	case x == nil || x.producerID != in.who.id:
		return nobody, nil, kerr.InvalidProducerIDMapping
	case !x.has(in.who.epoch):
		return nobody, nil, kerr.ProducerFenced
	case x.phase == ongoing:
		v := x.prepare(t, in.commit)
		v.version = 0
		m.write(t, x, v, true)
		return nobody, newJob(x, &v), nil
	case x.phase.prepared():
		return nobody, nil, kerr.ConcurrentTransactions
	case !x.phase.ends(in.commit):
		return nobody, nil, kerr.InvalidTxnState
	}
	return nobody, nil, nil
}

// endAndBump is that of clients that get their next epoch with the answer.
//
//	                abort                  commit
//	                retry      current     retry      current
//	Empty           fenced     bump        fenced     invalid
//	CompleteAbort   the same   bump        invalid    invalid
//	CompleteCommit  invalid    bump        the same   invalid
//
// A retry comes from the epoch before, of an end that bumped. "Bump" without an open
// transaction is for clients that do not know whether anything of theirs was written: it
// fences what is on its way.
func (m *machine) endAndBump(t *runtime.Turn, in endInput) (identity, *job, error) {
	x := m.txns[in.id]
	if x == nil && m.unborn(t, in.id) || x != nil && x.busy(t) {
		return nobody, nil, kerr.ConcurrentTransactions
	}
	if x == nil {
		return nobody, nil, kerr.InvalidProducerIDMapping
	}
	if x.phase.prepared() {
		// Whoever asks has to ask again when the markers are written: the client that was
		// told of its next epoch may already be at the end of its next transaction, which
		// wrote nothing.
		return nobody, nil, kerr.ConcurrentTransactions
	}
	// The epoch alone does not tell a retry: an old client that fenced this one has the next
	// epoch too, and keeps it through its ends.
	retry := x.version >= bumps && x.lastEpoch == in.who.epoch && in.who.epoch >= 0
	overflown := retry && x.prevID == in.who.id && x.epoch == 0
	current := x.has(in.who.epoch) || planted.Is(planted.StaleEndTxn)
	switch {
	case x.producerID != in.who.id && !overflown:
		return nobody, nil, kerr.InvalidProducerIDMapping
	case x.phase == ongoing && current:
		return m.bump(t, x, in, false)
	case x.phase == ongoing || x.phase == empty && !current, !retry && !current:
		return nobody, nil, kerr.ProducerFenced
	case retry && x.phase.ends(in.commit):
		return identity{x.producerID, x.epoch}, nil, nil
	case retry || in.commit:
		return nobody, nil, kerr.InvalidTxnState
	}
	return m.bump(t, x, in, true)
}

// has reports whether a producer of this epoch is the newest. The very last epoch is the
// coordinator's own.
func (x *txn) has(epoch int16) bool { return epoch == x.epoch && epoch != maxEpoch }

// bump prepares an end with the next epoch. started: the transaction begins with its end.
func (m *machine) bump(t *runtime.Turn, x *txn, in endInput, started bool) (identity, *job, error) {
	if exhausted(x.epoch) && in.fresh == noProducer {
		return nobody, nil, errNeedsProducerID
	}
	v := x.prepare(t, in.commit)
	v.version, v.epoch, v.lastEpoch = bumps, x.epoch+1, x.epoch
	if started {
		v.started = v.updated
	}
	if exhausted(x.epoch) {
		v.nextID = in.fresh
	}
	m.write(t, x, v, true)
	done := v.complete(v.updated)
	return identity{done.producerID, done.epoch}, newJob(x, &v), nil
}

// abort ends a transaction that its client has left, with an epoch that fences the
// client. claimed: the caller takes the markers along.
func (m *machine) abort(t *runtime.Turn, x *txn, claimed bool) *job {
	v := x.prepare(t, false)
	v.version, v.lastEpoch = 0, noEpoch
	if x.epoch < maxEpoch {
		v.epoch = x.epoch + 1
		if m.level() >= bumps {
			v.version, v.lastEpoch = bumps, x.epoch
		}
	}
	m.write(t, x, v, claimed)
	return newJob(x, &v)
}

// prepare is the first step to an end.
func (x *txn) prepare(t *runtime.Turn, commit bool) value {
	v := x.value
	v.prevID, v.nextID = noProducer, noProducer
	v.phase, v.updated = preparing(commit), t.Millis()
	return v
}

// complete is the second. A producer whose epochs were used up goes on under the id that
// it was promised.
func (v *value) complete(now int64) value {
	done := *v
	done.phase, done.partitions, done.updated = v.phase.completed(), nil, now
	done.prevID, done.nextID = noProducer, noProducer
	if v.version >= bumps && v.nextID != noProducer {
		done.prevID, done.producerID, done.epoch = v.producerID, v.nextID, 0
	}
	return done
}
