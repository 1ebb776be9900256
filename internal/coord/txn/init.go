package txn

import (
	"context"
	"errors"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// identity is a producer id with an epoch.
type identity struct {
	id    int64
	epoch int16
}

var nobody = identity{noProducer, noEpoch}

// InitProducerID makes a producer of a transactional id, and thereby fences whoever had
// the id before. An open transaction of theirs is aborted first, and the client told to
// ask again. A producer that says who it is goes on instead: it is fenced unless it is
// the newest of its id (KIP-360).
func (s *Service) InitProducerID(ctx context.Context, req *kmsg.InitProducerIDRequest) *kmsg.InitProducerIDResponse {
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	who, err := s.initProducer(ctx, req)
	if err != nil {
		who = nobody
	}
	resp.ProducerID, resp.ProducerEpoch = who.id, who.epoch
	resp.ErrorCode = code(unfenced(err, req.Version < 4))
	return resp
}

func (s *Service) initProducer(ctx context.Context, req *kmsg.InitProducerIDRequest) (identity, error) {
	in := initInput{timeoutMillis: req.TransactionTimeoutMillis, was: identity{req.ProducerID, req.ProducerEpoch}, fresh: noProducer, first: s.cfg.FirstEpoch}
	if req.Version < 3 {
		in.was = nobody
	}
	switch {
	case (in.was.id == noProducer) != (in.was.epoch == noEpoch):
		return nobody, kerr.InvalidRequest
	case req.TransactionalID == nil:
		id, err := s.cfg.ProducerID(ctx)
		return identity{id, 0}, err
	case *req.TransactionalID == "", len(*req.TransactionalID) > maxString: // the key of a record could not say it
		return nobody, kerr.InvalidRequest
	case in.timeoutMillis <= 0 || int64(in.timeoutMillis) > millis(s.settings().MaxTimeout):
		return nobody, kerr.InvalidTransactionTimeout
	}
	in.id = *req.TransactionalID
	who, err := do(ctx, s, in.id, runtime.Independent, func(m *machine, t *runtime.Turn) (identity, *job, error) {
		return m.init(t, in)
	})
	if !errors.Is(err, errNeedsProducerID) {
		return who, err
	}
	if in.fresh, err = s.cfg.ProducerID(ctx); err != nil {
		return nobody, err
	}
	return do(ctx, s, in.id, runtime.Independent, func(m *machine, t *runtime.Turn) (identity, *job, error) {
		return m.init(t, in)
	})
}

// errNeedsProducerID asks for the command again, with a producer id that nobody had.
var errNeedsProducerID = errors.New("a new producer id is needed")

type initInput struct {
	id            string
	timeoutMillis int32
	was           identity // nobody: a new producer
	fresh         int64    // noProducer: none was needed so far
	first         int16    // the epoch that a fresh one begins with
}

func (m *machine) init(t *runtime.Turn, in initInput) (identity, *job, error) {
	x := m.txns[in.id]
	switch {
	case x == nil && m.unborn(t, in.id), x != nil && (x.busy(t) || x.phase.prepared()):
		return nobody, nil, kerr.ConcurrentTransactions
	case x == nil && in.fresh == noProducer:
		return nobody, nil, errNeedsProducerID
	case x == nil:
		x = m.bear(t, in.id)
		v := x.reborn(t, in)
		v.lastEpoch = noEpoch
		m.write(t, x, v, false)
		return identity{v.producerID, v.epoch}, nil, nil
	case !x.admits(in.was):
		return nobody, nil, kerr.ProducerFenced
	case x.phase == ongoing:
		// The epoch that fences is told nobody. The client asks again, and gets the next.
		return nobody, m.abort(t, x, true), kerr.ConcurrentTransactions
	}
	v, err := x.renewed(t, in)
	if err != nil {
		return nobody, nil, err
	}
	m.write(t, x, v, false)
	return identity{v.producerID, v.epoch}, nil, nil
}

// admits reports whether a producer may be the newest of its id. One that had used up
// its epochs may have been given another producer id and not know it.
func (x *txn) admits(was identity) bool {
	return was == nobody || was.id == x.producerID || was.id == x.prevID && exhausted(was.epoch)
}

// renewed is an id, of which nothing is open, in the hands of its next producer.
func (x *txn) renewed(t *runtime.Turn, in initInput) (value, error) {
	v := x.idle(t, in)
	known := in.was != nobody
	switch {
	case known && in.was.epoch != x.epoch && in.was.epoch != x.lastEpoch:
		return v, kerr.ProducerFenced
	case exhausted(x.epoch):
		// Also for one whose last epoch this coordinator has ended by the very last.
		if in.fresh == noProducer {
			return v, errNeedsProducerID
		}
		return x.reborn(t, in), nil
	case !known:
		v.epoch, v.lastEpoch = x.epoch+1, noEpoch
	case in.was.epoch == x.epoch:
		v.epoch, v.lastEpoch = x.epoch+1, x.epoch
	default: // the answer was lost: it is given again
		v.epoch, v.lastEpoch, v.prevID = x.epoch, x.lastEpoch, x.prevID
	}
	return v, nil
}

// reborn is an id with a new producer id.
func (x *txn) reborn(t *runtime.Turn, in initInput) value {
	v := x.idle(t, in)
	v.prevID = x.producerID
	v.producerID, v.epoch, v.lastEpoch = in.fresh, in.first, noEpoch
	if in.was != nobody {
		v.lastEpoch = in.was.epoch
	}
	return v
}

// idle is an id without a transaction.
func (x *txn) idle(t *runtime.Turn, in initInput) value {
	v := x.value
	v.prevID, v.nextID = noProducer, noProducer
	v.timeoutMillis, v.phase, v.partitions = in.timeoutMillis, empty, nil
	v.started, v.updated = noTime, t.Millis()
	return v
}
