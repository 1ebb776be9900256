package commitlog

import (
	"errors"
	"fmt"
	"io"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/proto/record"
)

var _ = failpoint.Register("commitlog.recover.before_cut", "commitlog.recover.after_cut")

// recover finds the end of the log and makes everything agree with it.
func (l *Log) recover(o Options, epochsFound bool) error {
	if len(l.segs) == 0 {
		return l.restartAt(o.Start)
	}
	if !o.Clean {
		// Epochs above are found by the scan, as the batches have them; the checkpoint may
		// have those of records that were truncated. What a process that was killed left
		// behind may still be in memory only: names, too.
		l.setEpochs(l.epochs.before(o.RecoveryPoint))
		l.names.touch()
		l.folder.touch()
		if !l.id.Topic.IsZero() {
			l.metadata.touch()
		}
	}
	if !epochsFound {
		if err := l.rebuildEpochs(); err != nil {
			return err
		}
	}
	if err := l.findEnd(o); err != nil {
		return err
	}
	l.end = l.active().next
	l.pardon() // what was condemned may have been cut off
	for i := range l.rotten {
		for _, s := range l.segs { // what a later segment has is not rotten with it
			if r := &l.rotten[i]; s.base > r.Offset {
				r.Next = min(r.Next, s.base)
			}
		}
	}
	l.start = max(o.Start, l.segs[0].base)
	l.recovery = min(o.RecoveryPoint, l.end)
	l.firstDirty = min(l.firstDirty, l.end) // what comes in place of what was lost is dirty
	if o.Clean {
		l.recovery = l.end
	} else if o.RecoveryPoint > l.end {
		l.logger.Error("log ends before its recovery point: durable records are missing",
			"partition", l.name, "end", l.end, "recovery_point", o.RecoveryPoint)
	}
	if l.start > l.end {
		l.logger.Warn("log ends before its start: it is emptied", "partition", l.name, "end", l.end, "start", l.start)
		return l.restartAt(l.start)
	}
	l.setEpochs(l.epochs.before(l.end).from(l.start))
	if err := l.recallEpochs(); err != nil {
		return err
	}
	// What came after one from before the log's first segment is not known: it may say that
	// a transaction is open which has long ended.
	return l.dropSnapshots(func(at int64) bool { return at > l.end || at < l.segs[0].base })
}

// findEnd scans what is not known to be durable, and cuts the log at the first batch
// that is not whole or does not follow on the one before it.
func (l *Log) findEnd(o Options) error {
	for i, s := range l.segs {
		last := i == len(l.segs)-1
		if !last && (o.Clean || s.next < o.RecoveryPoint) {
			continue // its records and, since a Sync has gone beyond it, its indexes are durable
		}
		from := o.RecoveryPoint
		if o.Clean {
			from = scanNothing
		}
		cut, err := l.recoverSegment(s, from)
		if err != nil {
			return err
		}
		if last {
			return nil
		}
		if err := l.finishIndexes(s); err != nil {
			return err
		}
		// A gap between segments is left by compaction: a crash makes none, see roll.
		following := l.segs[i+1].base
		if cut || following < s.next {
			return l.dropSegments(i + 1)
		}
		s.next = following
	}
	return nil
}

// scanNothing is an offset from which no batch is verified.
const scanNothing = 1<<63 - 1

// recoverSegment scans a segment from the last trusted index entry on, checks what is at
// or above offset from, and sets size, next, indexes and epochs by what it finds. cut
// tells whether bytes were cut off.
func (l *Log) recoverSegment(s *segment, from int64) (cut bool, err error) {
	h, err := l.acquire(s)
	if err != nil {
		return false, err
	}
	defer h.release()
	fileSize := s.size
	if _, err := l.readIndexes(s); err != nil {
		return false, err
	}
	if from != scanNothing {
		l.doubtTxns(s) // it may lack the newest ones, and have some of what is cut off now
	}
	until := from - s.base - 1
	if from != scanNothing {
		// After a crash the time index may have lost more than the other one.
		until = min(until, s.maxTime.value-s.base)
	}
	pos, err := l.trusted(s, h, until)
	if err != nil {
		return false, err
	}
	sc := newScanner(h, pos, fileSize)
	defer sc.close()
	bad := l.scanTail(s, &sc, from)
	if bad != nil && !notABatch(bad) {
		return false, storageError(bad)
	}
	s.size, s.known = sc.pos, true
	if bad == nil {
		return false, nil
	}
	l.logger.Warn("log is cut at the first batch that is not whole", "partition", l.name,
		"segment", fileName(s.base, logExt), "position", sc.pos, "bytes", fileSize-sc.pos, "end", s.next, "reason", bad)
	l.doubtTxns(s)
	failpoint.Hit("commitlog.recover.before_cut", l.fs)
	if err := h.Truncate(sc.pos); err != nil {
		return true, storageError(err)
	}
	err = storageError(h.Datasync())
	failpoint.Hit("commitlog.recover.after_cut", l.fs)
	return true, err
}

// scanTail walks batches to the end of the segment and sets what it knows of them;
// those at or above offset from are verified. It returns nil at the end, or why it
// stopped before. A whole batch of an epoch that cannot be is condemned, and does not stop it.
func (l *Log) scanTail(s *segment, sc *scanner, from int64) error {
	next, interval := s.base, l.config().IndexIntervalBytes
	defer func() {
		l.mu.Lock()
		s.next = next
		l.mu.Unlock()
	}()
	for {
		b, size, err := sc.header()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		never := l.never(b)
		if err := l.follows(s, next, b, never); err != nil {
			return err
		}
		if b.NextOffset() > from || never {
			if b, err = sc.batch(); err == nil {
				err = b.Verify()
			}
			if err != nil {
				return err
			}
		}
		if never {
			l.condemn(l.rotOfEpoch(s, b, sc.pos))
		}
		l.mu.Lock()
		s.note(b, size, sc.pos, interval)
		if e := b.LeaderEpoch(); e >= 0 && e > l.epochs.latest() && !l.condemned(b.BaseOffset()) {
			l.setEpochs(l.epochs.assign(e, b.BaseOffset()))
		}
		l.mu.Unlock()
		next = b.NextOffset()
		sc.skip(size)
	}
}

// follows checks that a batch may stand where the next offset is expected. never: its epoch
// is known to be wrong, and tells nothing.
func (l *Log) follows(s *segment, next int64, b record.Batch, never bool) error {
	switch {
	case b.BaseOffset() < next || b.LastOffset() < b.BaseOffset():
		return fmt.Errorf("offset %d after %d: %w", b.BaseOffset(), next-1, record.ErrCorrupt)
	case b.LastOffset()-s.base > maxRelative:
		return fmt.Errorf("offset %d in the segment of %d: %w", b.LastOffset(), s.base, record.ErrCorrupt)
	case !never && b.LeaderEpoch() >= 0 && b.LeaderEpoch() < l.epochs.at(b.BaseOffset()):
		return fmt.Errorf("epoch %d after %d: %w", b.LeaderEpoch(), l.epochs.latest(), record.ErrCorrupt)
	}
	return nil
}

const maxRelative = 1<<31 - 1

// trusted returns the position from which a segment's tail is scanned, and cuts the
// indexes there: that of the last index entry which leads to its batch and is not above
// the relative offset until; 0 if there is none.
func (l *Log) trusted(s *segment, h *handle, until int64) (int64, error) {
	const tries = 16
	for range tries {
		i, e, err := s.off.search(l.ref(s.base, indexExt), byKey, until)
		if err != nil {
			return 0, storageError(err)
		}
		if i < 0 {
			break
		}
		if leadsTo(h, s.base, s.size, e) {
			return e.value, l.cutIndexes(s, e.key)
		}
		until = e.key - 1
	}
	return 0, l.cutIndexes(s, -1)
}

// rebuildEpochs reads the epochs of all batches, when the checkpoint is lost.
func (l *Log) rebuildEpochs() error {
	l.epochs = nil
	l.epochsSaved.touch()
	for _, s := range l.segs {
		pos, next := int64(0), s.base
		err := l.eachHeader(s, func(b record.Batch) {
			if l.never(b) {
				// Else it is no batch of this place, or more of it is rotten than its epoch: where it
				// ends is not known.
				if b.BaseOffset() >= next && l.sumsUp(s, pos) {
					l.condemn(l.rotOfEpoch(s, b, pos))
				}
			} else if next = max(next, b.BaseOffset()); b.LeaderEpoch() > l.epochs.latest() {
				l.epochs = l.epochs.assign(b.LeaderEpoch(), b.BaseOffset())
			}
			pos += int64(b.Size())
		})
		if err != nil && !notABatch(err) {
			return err
		}
	}
	return nil
}

// sumsUp reports whether a whole batch with the right checksum lies at a position.
func (l *Log) sumsUp(s *segment, pos int64) bool {
	h, err := l.acquire(s)
	if err != nil {
		return false
	}
	defer h.release()
	sc := newScanner(h, pos, s.size)
	defer sc.close()
	b, err := sc.batch()
	return err == nil && b.Verify() == nil
}

// recallEpochs reads the epochs of what lies between the log start and where the first known epoch
// begins. A start that was raised is written down by the host, and the epochs by the log: a crash
// may come when only the epochs are durable.
func (l *Log) recallEpochs() error {
	upto := l.end
	if len(l.epochs) > 0 {
		upto = l.epochs[0].start
	}
	var all epochs
	for _, s := range l.segs {
		if s.next <= l.start || s.base >= upto {
			continue
		}
		err := l.eachHeader(s, func(b record.Batch) {
			if e := b.LeaderEpoch(); b.NextOffset() > l.start && b.BaseOffset() < upto && e > all.latest() && !l.never(b) {
				all = all.assign(e, max(b.BaseOffset(), l.start))
			}
		})
		if err != nil && !notABatch(err) {
			return err
		}
	}
	if len(all) == 0 {
		return nil
	}
	for _, e := range l.epochs {
		all = all.assign(e.epoch, e.start)
	}
	l.setEpochs(all)
	return nil
}

// eachHeader shows the headers of a segment's batches in order.
func (l *Log) eachHeader(s *segment, do func(record.Batch)) error {
	if s.size == 0 {
		return nil
	}
	h, err := l.acquire(s)
	if err != nil {
		return err
	}
	defer h.release()
	sc := newScanner(h, 0, s.size)
	defer sc.close()
	for {
		b, size, err := sc.header()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		do(b)
		sc.skip(size)
	}
}
