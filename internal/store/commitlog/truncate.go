package commitlog

import (
	"io"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/invariant"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register("commitlog.truncate.before_cut", "commitlog.truncate.after_cut",
	"commitlog.truncate.before_reload", "commitlog.truncate.after_reload")

// BeginCut tells where the log will end if it is truncated to offset. Until then, or
// CancelCut, the recovery point does not pass that, and FirstDirty is not above it: who
// writes them down before the cut makes sure that a crash after it checks what was appended
// since, and that it is compacted.
func (l *Log) BeginCut(offset int64) (end int64, err error) {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return 0, err
	}
	if end, err = l.cutEnd(offset); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cutting, l.recovery, l.firstDirty = &end, min(l.recovery, end), min(l.firstDirty, end)
	return end, nil
}

// CancelCut ends BeginCut: the log is not truncated.
func (l *Log) CancelCut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cutting = nil
}

// cutEnd is where truncateTo leaves the end.
func (l *Log) cutEnd(offset int64) (int64, error) {
	if offset >= l.end || offset < l.segs[0].base {
		return min(l.end, max(0, offset)), nil
	}
	s := l.segs[holding(l.segs, offset)]
	if err := l.loadLocked(s); err != nil {
		return 0, err
	}
	h, err := l.acquire(s)
	if err != nil {
		return 0, err
	}
	defer h.release()
	start := int64(0)
	i, e, err := s.off.search(l.ref(s.base, indexExt), byKey, offset-1-s.base)
	if err == nil && i >= 0 && leadsTo(h, s.base, s.size, e) {
		start = e.value
	}
	_, next, err := lastBefore(h, start, s.size, s.base, offset)
	if err != nil {
		return 0, l.readError(s, err)
	}
	return next, nil
}

// TruncateTo removes all batches that end at or above offset; see End for where the log
// ends then: at offset, or before it if a batch held it. The cut is durable when
// TruncateTo returns. The recovery point falls with the end: the host must write its
// checkpoint before anything is appended, or a crash would not check what is.
func (l *Log) TruncateTo(offset int64) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	return l.truncateTo(offset)
}

func (l *Log) truncateTo(offset int64) error {
	defer l.CancelCut()
	if offset >= l.end {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.setEpochs(l.epochs.before(offset))
		return nil
	}
	if offset < l.segs[0].base {
		return l.restartAt(max(0, offset))
	}
	l.changed = true
	i := holding(l.segs, offset)
	s := l.segs[i]
	if err := l.loadLocked(s); err != nil {
		return err
	}
	if err := l.dropSegments(i + 1); err != nil {
		return err
	}
	if err := l.cutSegment(s, offset); err != nil {
		return l.fail("truncate", err)
	}
	failpoint.Hit("commitlog.truncate.before_reload", l.fs)
	err := l.reloadProducers()
	failpoint.Hit("commitlog.truncate.after_reload", l.fs)
	return err
}

// cutSegment removes the batches that end at or above offset from the last segment.
func (l *Log) cutSegment(s *segment, offset int64) error {
	h, err := l.acquire(s)
	if err != nil {
		return err
	}
	defer h.release()
	start, err := l.trusted(s, h, offset-1-s.base)
	if err != nil {
		return err
	}
	pos, next, err := lastBefore(h, start, s.size, s.base, offset)
	if err != nil {
		return l.readError(s, err)
	}
	l.mu.Lock()
	clear(l.hints[:])
	s.size = pos
	l.end = next
	l.pardon()
	l.start, l.recovery, l.firstDirty = min(l.start, next), min(l.recovery, next), min(l.firstDirty, next)
	l.setEpochs(l.epochs.before(next))
	l.mu.Unlock()
	if err := l.cutTxns(s, next); err != nil {
		return err
	}
	failpoint.Hit("commitlog.truncate.before_cut", l.fs)
	if err := h.Truncate(pos); err != nil {
		return err
	}
	if err := h.Datasync(); err != nil {
		return err
	}
	failpoint.Hit("commitlog.truncate.after_cut", l.fs)
	sc := newScanner(h, start, pos)
	defer sc.close()
	if err := l.scanTail(s, &sc, scanNothing); err != nil {
		return err
	}
	if s.next < next {
		invariant.Break("%s ends at %d after a cut at %d", h.Name(), s.next, next)
	}
	return nil
}

// lastBefore returns where the batches that end below offset end, scanning from start.
func lastBefore(h *handle, start, size, base, offset int64) (pos, next int64, err error) {
	sc := newScanner(h, start, size)
	defer sc.close()
	next = base
	for {
		b, n, err := sc.header()
		if err == io.EOF || err == nil && b.LastOffset() >= offset {
			return sc.pos, next, nil
		}
		if err != nil && notABatch(err) && next >= offset {
			return sc.pos, next, nil // it is cut because it is rotten
		}
		if err != nil {
			return 0, 0, err
		}
		next = b.NextOffset()
		sc.skip(n)
	}
}

// TruncateFullyAndStartAt makes the log empty, to begin at offset. The word about the
// recovery point at TruncateTo holds.
func (l *Log) TruncateFullyAndStartAt(offset int64) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	defer l.CancelCut()
	return l.restartAt(offset)
}

// AdvanceStart raises the log start offset, below which nothing is read any more; it
// does nothing if it is there already. Retain deletes what lies below.
// It returns kerr.OffsetOutOfRange beyond the log end.
func (l *Log) AdvanceStart(offset int64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset > l.end {
		return kerr.OffsetOutOfRange
	}
	if offset > l.start {
		l.advanceStart(offset)
	}
	return nil
}

// advanceStart is AdvanceStart with mu held.
func (l *Log) advanceStart(offset int64) {
	l.start = offset
	l.setEpochs(l.epochs.from(offset))
	l.firstDirty = max(l.firstDirty, offset)
	l.producers.broken = nil // what is rotten may be below
}
