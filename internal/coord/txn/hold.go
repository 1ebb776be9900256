package txn

import (
	"context"
	"errors"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A client that has ended a transaction writes the next one at once, while the markers of
// the first are on their way, which takes some milliseconds. Kafka answers
// CONCURRENT_TRANSACTIONS, and whoever asked pauses for longer than that. Here the answer
// is held for a moment, and the transaction begins in the append that completes the one
// before. A transaction whose markers have been on their way for long holds nobody: others
// wait behind an answer that is held.
const (
	holdFor = 20 * time.Millisecond
	holdAge = 100 * time.Millisecond // older prepared transactions are not waited for
)

// hold is an answer to wishes, some of which wait.
type hold struct {
	verdicts []verdict
	left     int
	answer   *runtime.Deferred[outcome[[]verdict]]
}

// held is a wish that waits for the transaction before it to be complete.
type held struct {
	wish  member
	until time.Time
	in    *hold
	at    int // its place
}

// addTogether carries out wishes for one partition of __transaction_state.
func (s *Service) addTogether(ctx context.Context, p int32, wishes []member) ([]verdict, error) {
	if p < 0 {
		return nil, kerr.CoordinatorNotAvailable
	}
	moment, cancel := context.WithTimeoutCause(ctx, holdFor, errHeldTooLong)
	defer cancel()
	got, err := runtime.Await(moment, s.runtime, p, runtime.Independent, func(m *machine, t *runtime.Turn, d *runtime.Deferred[outcome[[]verdict]]) {
		m.addOrHold(t, wishes, d)
	})
	if err == nil {
		return got.value, nil
	}
	if !errors.Is(err, errHeldTooLong) {
		return nil, err
	}
	return on(ctx, s, p, runtime.Independent, func(m *machine, t *runtime.Turn) ([]verdict, *job, error) {
		return m.addTogether(t, wishes), nil, nil // once more, to know how each stands
	})
}

var errHeldTooLong = errors.New("the transaction before is not complete yet")

// addOrHold is addTogether for an answer that may wait.
func (m *machine) addOrHold(t *runtime.Turn, wishes []member, d *runtime.Deferred[outcome[[]verdict]]) {
	h := &hold{verdicts: m.addTogether(t, wishes), answer: d}
	for i, w := range wishes {
		if x := m.txns[w.id]; !w.verify && x != nil && x.soon(t, w.who) {
			x.soft.waiting = append(x.soft.waiting, held{w, t.Now.Add(holdFor), h, i})
			h.left++
		}
	}
	if h.left == 0 {
		d.Give(t, outcome[[]verdict]{value: h.verdicts}, nil)
	}
}

// soon reports whether a producer is the one that may begin when the prepared transaction
// is complete, and whether that is to be expected in a moment.
func (x *txn) soon(t *runtime.Turn, who identity) bool {
	if !x.phase.prepared() || x.busy(t) || t.Now.Sub(time.UnixMilli(x.updated)) > holdAge {
		return false
	}
	next := x.value.complete(x.updated)
	return next.producerID == who.id && next.epoch == who.epoch && who.epoch != maxEpoch
}

// release lets the wishes go that wait for a transaction which this turn completes as
// done: those that are still wanted begin the next one.
func (m *machine) release(t *runtime.Turn, x *txn, done value, waiting []held) {
	var version int8
	var partitions []model.TopicPartition
	for _, w := range waiting {
		w.in.verdicts[w.at] = verdict{err: kerr.ConcurrentTransactions}
		if !t.Now.After(w.until) {
			w.in.verdicts[w.at] = verdict{}
			version, partitions = w.wish.version, union(partitions, w.wish.partitions)
		}
	}
	if len(partitions) > 0 {
		m.write(t, x, done.begin(t, version, partitions), false)
	}
	for _, w := range waiting {
		if w.in.left--; w.in.left == 0 {
			w.in.answer.Give(t, outcome[[]verdict]{value: w.in.verdicts}, nil)
		}
	}
}
