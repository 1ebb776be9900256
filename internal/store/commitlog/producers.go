package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
)

var _ = failpoint.Register("commitlog.snapshot.before_write", "commitlog.snapshot.after_write")

// Origin is who wrote what a leader appends.
type Origin = producers.Origin

const (
	Client      = producers.Client      // a producer: sequences are checked
	Coordinator = producers.Coordinator // this cluster's own: only epochs are
)

// producerState is what the log knows of idempotent producers, and the snapshots of it
// that lie in the folder. The lock writing guards it. It is loaded when a producer is
// first asked about: most logs never see one.
type producerState struct {
	producers.State
	loaded    bool
	snapshots []int64 // offsets, sorted
}

// checkProducer tells whether a batch must be refused, or is there already.
func (l *Log) checkProducer(b record.Batch, o Origin) (Appended, bool, error) {
	if err := l.loadProducers(); err != nil {
		return Appended{}, false, err
	}
	v, err := l.producers.Check(b, o)
	if err != nil || !v.Duplicate {
		return Appended{}, false, err
	}
	// Of a duplicate Kafka tells the time whatever its type.
	return Appended{Base: v.Base, End: v.Last + 1, Start: l.start, LogAppendTime: v.Timestamp, Duplicate: true}, true, nil
}

// applyProducers takes in what was written. A state that is not loaded finds it in the
// log when it is.
func (l *Log) applyProducers(b []byte) {
	if !l.producers.loaded {
		return
	}
	for len(b) > 0 {
		batch := record.Batch(b)
		size := batch.Size()
		l.producers.Apply(batch[:size])
		b = b[size:]
	}
}

// loadProducers reads the newest snapshot and then the batches that came after it.
func (l *Log) loadProducers() error {
	if l.producers.loaded {
		return nil
	}
	if err := l.loadSnapshot(); err != nil {
		return err
	}
	from := l.producers.End()
	for _, s := range l.segs[holding(l.segs, from):] {
		if err := l.applySegment(s, from); err != nil {
			return fmt.Errorf("load producers of %s: %w", l.name, err)
		}
	}
	l.producers.SetEnd(l.end)
	l.producers.loaded = true
	return nil
}

// loadSnapshot loads the newest sound snapshot. One that a crash has torn is removed.
func (l *Log) loadSnapshot() error {
	for n := len(l.producers.snapshots); n > 0; n = len(l.producers.snapshots) {
		at := l.producers.snapshots[n-1]
		b, err := vfs.ReadFile(l.fs, l.path(at, snapshotExt))
		if err == nil {
			err = l.producers.Load(b, at)
		}
		if err == nil {
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
	h, err := l.acquire(s)
	if err != nil {
		return err
	}
	defer h.release()
	pos := int64(0)
	if from > s.base && s.size > 0 {
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
	err = eachFrom(&sc, from, func(b record.Batch) { l.producers.Apply(b) })
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
	l.producers.loaded = false
	l.producers.State = producers.State{}
	return l.dropSnapshots(func(int64) bool { return true })
}

// reloadProducers forgets what was cut off the log, for good: were a snapshot beyond the
// end to come back by a crash, it would be believed once the log has grown again.
func (l *Log) reloadProducers() error {
	l.producers.loaded = false
	l.producers.State = producers.State{}
	kept := len(l.producers.snapshots)
	err := l.dropSnapshots(func(at int64) bool { return at > l.end })
	if err == nil && len(l.producers.snapshots) < kept {
		err = storageError(l.fs.SyncDir(l.dir))
	}
	return err
}

// dropSnapshots removes the snapshots at the offsets that drop picks.
func (l *Log) dropSnapshots(drop func(at int64) bool) error {
	var err error
	l.producers.snapshots = slices.DeleteFunc(l.producers.snapshots, func(at int64) bool {
		if err != nil || !drop(at) {
			return false
		}
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
		l.producers.Expire(now.UnixMilli(), l.config().ProducerExpiry.Milliseconds())
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
