// Package memlog is a partition's log in memory, for tests of what runs on the
// coordinators' runtime: it can hold back commits, fail appends and change leaders. It
// keeps whole batches as a log on disk would, and what producers did. It owns no goroutines.
package memlog

import (
	"context"
	"slices"
	"sync"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Log is such a log. The zero value is empty, led in epoch 0, and commits at once. Safe
// for concurrent use.
type Log struct {
	mu      sync.Mutex
	batches []record.Batch
	all     []record.Batch // as they were before compaction
	end, hw int64
	epoch   int32
	held    bool
	failure error // of the next append
	broken  error // of every wait, until a new leadership
	waiters []chan struct{}
	appends int
	state   producers.State
}

// AppendRecords appends a batch as the leader of epoch.
func (l *Log) AppendRecords(b record.Batch, epoch int32) (int64, error) {
	return l.append(b, epoch, func() error { return nil })
}

// BeginTxn prepares the first write of a transaction, as a partition does.
func (l *Log) BeginTxn(producerID int64, epoch int16, implicit bool) (g producers.Guard, need bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Begin(producerID, epoch, record.NoSequence, implicit, 0)
}

// AppendTxn appends records of a transaction that is open, or for which the guard was drawn.
func (l *Log) AppendTxn(b record.Batch, epoch int32, g producers.Guard) (int64, error) {
	return l.append(b, epoch, func() error {
		_, err := l.state.Check(b, producers.Coordinator, g)
		return err
	})
}

// AppendMarker appends the end of a transaction, if it may be.
func (l *Log) AppendMarker(b record.Batch, epoch int32, txnVersion int16) (int64, int32, error) {
	end, err := l.append(b, epoch, func() error { return l.state.CheckMarker(b, txnVersion) })
	return end, epoch, err
}

// append appends what check lets pass.
func (l *Log) append(b record.Batch, epoch int32, check func() error) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if epoch != l.epoch {
		return 0, kerr.NotLeaderForPartition
	}
	if err := l.failure; err != nil {
		l.failure = nil
		return 0, err
	}
	if err := check(); err != nil {
		return 0, err
	}
	l.add(b)
	l.appends++
	if !l.held {
		l.commit()
	}
	return l.end, nil
}

// add adds a batch at the end; mu is held.
func (l *Log) add(b record.Batch) {
	b.Stamp(l.end, l.epoch)
	l.batches = append(l.batches, b)
	l.all = append(l.all, b)
	l.state.Apply(b)
	l.end = b.NextOffset()
}

// Wait waits for everything below end to be committed under epoch.
func (l *Log) Wait(ctx context.Context, end int64, epoch int32) error {
	for {
		l.mu.Lock()
		err, done := l.broken, l.hw >= end
		if epoch != l.epoch {
			err = kerr.NotLeaderForPartition
		}
		if err != nil || done {
			l.mu.Unlock()
			return err
		}
		woken := make(chan struct{})
		l.waiters = append(l.waiters, woken)
		l.mu.Unlock()
		select {
		case <-woken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ReadLog reads the batches from the one that holds from on.
func (l *Log) ReadLog(from int64, maxBytes int) ([]byte, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var bytes []byte
	next := from
	for _, b := range l.batches {
		if b.NextOffset() <= from {
			continue
		}
		if len(bytes) > 0 && len(bytes)+len(b) > maxBytes {
			break
		}
		bytes = append(bytes, b...)
		next = b.NextOffset()
	}
	return bytes, next, nil
}

// Hold holds back commits until Commit.
func (l *Log) Hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = true
}

// Commit commits what has been appended, and from now on at once.
func (l *Log) Commit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = false
	l.commit()
}

func (l *Log) commit() {
	l.hw = l.end
	l.wake()
}

func (l *Log) wake() {
	for _, w := range l.waiters {
		close(w)
	}
	l.waiters = nil
}

// FailAppend makes the next append fail with err.
func (l *Log) FailAppend(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failure = err
}

// FailCommits makes every wait fail with err, nil for no longer.
func (l *Log) FailCommits(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
	l.wake()
}

// Lead begins a leadership: what was appended and not committed is lost, as when
// another replica was elected meanwhile, unless keep is set.
func (l *Log) Lead(epoch int32, keep bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch, l.broken = epoch, nil
	if !keep {
		lost := func(b record.Batch) bool { return b.NextOffset() > l.hw }
		l.batches, l.all = slices.DeleteFunc(l.batches, lost), slices.DeleteFunc(l.all, lost)
		l.end = l.hw
		l.remember()
	}
	l.commit()
}

// Put appends a batch past any rule, as another leader would have.
func (l *Log) Put(b record.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(b)
	l.commit()
}

// remember makes the producers' state anew; mu is held.
func (l *Log) remember() {
	l.state.Reset(0)
	for _, b := range l.all {
		l.state.Apply(b)
	}
}

// Batches are the log's batches, which must not be changed.
func (l *Log) Batches() []record.Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.batches)
}

// All are the batches that the log would have without compaction.
func (l *Log) All() []record.Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// Compact has the batches below the last stable offset go through compaction, and those
// that it returns take their place; all are those and what comes behind. What is known of
// producers stays.
func (l *Log) Compact(compact func(batches, all []record.Batch) []record.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := l.hw
	if first, ok := l.state.FirstUnstable(l.hw); ok {
		end = min(end, first)
	}
	n := 0
	for n < len(l.batches) && l.batches[n].NextOffset() <= end {
		n++
	}
	l.batches = append(compact(l.batches[:n:n], l.batches), l.batches[n:]...)
}

// LastOffset is what compaction is told of a producer, while it runs.
func (l *Log) LastOffset(producerID int64) (last int64, epoch int16, ok bool) {
	return l.state.LastOffset(producerID)
}

// Clone is a log of its own with the same batches.
func (l *Log) Clone() *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &Log{batches: slices.Clone(l.batches), all: slices.Clone(l.all), end: l.end, hw: l.hw, epoch: l.epoch}
	c.remember()
	return c
}

// Appends is how many batches were appended by AppendRecords.
func (l *Log) Appends() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appends
}

// End is the log end.
func (l *Log) End() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}
