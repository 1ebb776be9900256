package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register("commitlog.snapshot.before_write", "commitlog.snapshot.after_write",
	"commitlog.snapshot.before_remove", "commitlog.snapshot.before_syncdir")

// Origin is who wrote what a leader appends.
type Origin = producers.Origin

// Guard lets the first batch of a transaction in.
type Guard = producers.Guard

const (
	Client      = producers.Client      // a producer: sequences are checked
	Coordinator = producers.Coordinator // this cluster's own: only epochs are
)

// producerState is what the log knows of idempotent producers, and the snapshots of it
// that lie in the folder. It is loaded when a producer, or the last stable offset, is first
// asked about. The lock writing guards it; while Log.settled is set, mu guards what it knows
// of transactions that are undecided, so that readers need not wait for writers.
type producerState struct {
	producers.State
	loaded    bool
	broken    error   // why it cannot be loaded: the log is rotten
	snapshots []int64 // offsets, sorted
}

// checkProducer tells whether a batch must be refused, or is there already.
func (l *Log) checkProducer(b record.Batch, w writer) (Appended, bool, error) {
	if err := l.loadProducers(); err != nil {
		return Appended{}, false, err
	}
	if w.marker {
		return Appended{}, false, l.producers.CheckMarker(b, w.txnVersion)
	}
	v, err := l.producers.Check(b, w.origin, w.guard)
	if err != nil || !v.Duplicate {
		return Appended{}, false, err
	}
	// Of a duplicate Kafka tells the time whatever its type.
	return Appended{Base: v.Base, End: v.Last + 1, Start: l.start, LogAppendTime: v.Timestamp, Duplicate: true}, true, nil
}

// applyProducers takes in what is written to a segment. A state that is not loaded finds
// it in the log when it is, and then whether a transaction was aborted. mu is held.
func (l *Log) applyProducers(s *segment, b []byte) {
	for len(b) > 0 {
		batch := record.Batch(b)
		size := batch.Size()
		switch {
		case l.producers.loaded:
			if a := l.producers.Apply(batch[:size]); a.Aborted {
				s.aborted(a)
			}
		case batch.Control() && (l.unindexed == none || s.base < l.unindexed):
			l.unindexed = s.base
		}
		b = b[size:]
	}
}

// loadProducers reads the newest snapshot and then the batches that came after it. Where
// the transaction index is in doubt it goes back to before that, and makes it anew.
func (l *Log) loadProducers() error {
	if l.producers.loaded {
		return nil
	}
	if l.producers.broken != nil {
		return l.producers.broken
	}
	err := l.readProducers()
	if errors.Is(err, kerr.CorruptMessage) {
		l.producers.broken = err // until something is cut off or replaced
	}
	return err
}

func (l *Log) readProducers() error {
	if err := l.loadSnapshot(); err != nil {
		return err
	}
	if planted.Is(planted.VolatileProducers) {
		l.producers.Reset(l.end) // they will come again
	}
	from := l.producers.End()
	for _, s := range l.segs[holding(l.segs, from):] {
		if from >= l.end && l.unindexed == none {
			break
		}
		if err := l.applySegment(s, from); err != nil {
			return fmt.Errorf("load producers of %s: %w", l.name, err)
		}
	}
	l.producers.SetEnd(l.end)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.producers.loaded, l.settled, l.unindexed = true, true, none
	return nil
}

// loadSnapshot loads the newest sound snapshot; one that is not above where the
// transaction index is in doubt, if it is. One that a crash has torn is removed.
func (l *Log) loadSnapshot() error {
	for {
		n := len(l.producers.snapshots)
		for l.unindexed != none && n > 0 && l.producers.snapshots[n-1] > l.unindexed {
			n--
		}
		if n == 0 {
			break
		}
		at := l.producers.snapshots[n-1]
		b, err := vfs.ReadFile(l.fs, l.path(at, snapshotExt))
		if err == nil {
			err = l.producers.Load(b, at)
		}
		if err == nil {
			if planted.Is(planted.ForgetProducerSnapshot) {
				l.producers.Reset(at) // the log has the rest
			}
			return nil
		}
		if !errors.Is(err, producers.ErrCorruptSnapshot) && !errors.Is(err, fs.ErrNotExist) {
			return storageError(err)
		}
		l.logger.Warn("producer snapshot is removed", "partition", l.name, "offset", at, "err", err)
		if err := l.dropSnapshots(func(other int64) bool { return other == at }); err != nil {
			return err
		}
	}
	l.producers.Reset(l.start)
	return nil
}

// applySegment shows the producers the batches of a segment that end above from.
func (l *Log) applySegment(s *segment, from int64) error {
	anew := l.unindexed != none && s.base >= l.unindexed
	if anew {
		l.changed = true                        // the index is
		if err := l.loadLocked(s); err != nil { // else it would be, over what is made now
			return err
		}
		l.forgetTxns(s)
	}
	if s.size == 0 {
		return nil
	}
	h, err := l.acquire(s)
	if err != nil {
		return err
	}
	defer h.release()
	pos := int64(0)
	if from > s.base {
		if err := l.loadLocked(s); err != nil {
			return err
		}
		i, e, err := s.off.search(l.ref(s.base, indexExt), byKey, from-s.base)
		if err == nil && i >= 0 && leadsTo(h, s.base, s.size, e) {
			pos = e.value
		}
	}
	sc := newScanner(h, pos, s.size)
	defer sc.close()
	err = eachFrom(&sc, from, func(b record.Batch) {
		if a := l.producers.Apply(b); a.Aborted && anew {
			l.mu.Lock()
			s.aborted(a)
			l.mu.Unlock()
		}
	})
	return l.readError(s, err)
}

// eachFrom shows the batches that end above from: of those of producers that are
// markers the whole, of others the header.
func eachFrom(sc *scanner, from int64, do func(record.Batch)) error {
	for {
		b, size, err := sc.header()
		if err != nil {
			return ignoreEOF(err)
		}
		if b.NextOffset() > from {
			if b.Control() {
				if b, err = sc.batch(); err == nil {
					err = b.Verify()
				}
				if err != nil {
					return err
				}
			}
			do(b)
		}
		sc.skip(size)
	}
}

// takeSnapshot writes what is known of producers at the log end. A crash may tear it:
// it has a checksum, and what it says can be found in the log again. The lock writing is
// held.
func (l *Log) takeSnapshot() error {
	if err := l.loadProducers(); err != nil {
		return err
	}
	if n := len(l.producers.snapshots); n > 0 && l.producers.snapshots[n-1] == l.end {
		return nil
	}
	failpoint.Hit("commitlog.snapshot.before_write", l.fs)
	if err := l.writeFile(l.path(l.end, snapshotExt), l.producers.Snapshot(), false); err != nil {
		return storageError(err)
	}
	failpoint.Hit("commitlog.snapshot.after_write", l.fs)
	l.producers.snapshots = append(l.producers.snapshots, l.end)
	return nil
}

// dropProducers forgets all producers and their snapshots.
func (l *Log) dropProducers() error {
	l.unloadProducers()
	return l.dropSnapshots(func(int64) bool { return true })
}

// reloadProducers forgets what was cut off the log, for good: were a snapshot beyond the
// end to come back by a crash, it would be believed once the log has grown again.
func (l *Log) reloadProducers() error {
	l.unloadProducers()
	kept := len(l.producers.snapshots)
	err := l.dropSnapshots(func(at int64) bool { return at > l.end })
	if err == nil && len(l.producers.snapshots) < kept {
		failpoint.Hit("commitlog.snapshot.before_syncdir", l.fs)
		err = storageError(l.fs.SyncDir(l.dir))
	}
	return err
}

// unloadProducers has the state read from the log again when it is needed.
func (l *Log) unloadProducers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled, l.producers.loaded, l.producers.broken = false, false, nil
	l.producers.Reset(0)
}

// dropSnapshots removes the snapshots at the offsets that drop picks.
func (l *Log) dropSnapshots(drop func(at int64) bool) error {
	var err error
	l.producers.snapshots = slices.DeleteFunc(l.producers.snapshots, func(at int64) bool {
		if err != nil || !drop(at) {
			return false
		}
		failpoint.Hit("commitlog.snapshot.before_remove", l.fs)
		err = l.fs.Remove(l.path(at, snapshotExt))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err == nil
	})
	return storageError(err)
}

// expireProducers forgets those that have been silent for producer.id.expiration.ms.
func (l *Log) expireProducers(now time.Time) {
	if l.producers.loaded {
		l.producers.Expire(l.clock.Millis(now), l.config().ProducerExpiry.Milliseconds())
	}
}

// Producers tells of the producers that are known, in order of their ids.
func (l *Log) Producers() ([]producers.Entry, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.loadProducers(); err != nil {
		return nil, err
	}
	return l.producers.Entries(), nil
}
