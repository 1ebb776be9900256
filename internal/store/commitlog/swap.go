package commitlog

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/proto/record"
)

var _ = failpoint.Register("commitlog.swap.before_commit", "commitlog.swap.after_commit",
	"commitlog.swap.after_delete", "commitlog.swap.after_rename", "commitlog.swap.finish", "commitlog.swap.after_finish",
	"commitlog.clean.before_sync", "commitlog.clean.after_sync", "commitlog.swap.before_outdate", "commitlog.swap.before_syncdir")

// How a compacted segment replaces the ones that it was made of, so that a crash at any
// step leaves one or the other:
//
//	write NNN.log.cleaned and its indexes, sync them    a crash removes them
//	rename .cleaned to .swap, the log last, sync names  from here on it counts
//	rename the old segments to .deleted, sync names     a crash is made up for by
//	rename .swap to the plain name, sync names          finishSwaps, when the log opens

// rewrite replaces a group of segments by one with what remains of them.
func (r *compactionRun) rewrite(group []*segment) error {
	cleaned, before, err := r.clean(group)
	if err == nil {
		failpoint.Hit("commitlog.compact.before_swap", r.log.fs)
		err = r.log.swapIn(cleaned, group)
	}
	if err != nil {
		if r.log.Err() == nil {
			r.log.discardCleaned(group[0].base, cleaned)
		}
		return err
	}
	r.done.Before += before
	r.done.After += cleaned.size
	return nil
}

// clean writes what remains of a group into files with the suffix .cleaned.
func (r *compactionRun) clean(group []*segment) (*segment, int64, error) {
	l := r.log
	s := newSegment(group[0].base)
	s.known, s.next = true, group[len(group)-1].next
	at := l.ref(s.base, logExt).with(cleanedSuffix)
	if err := s.log.openFile(at, os.O_RDWR|os.O_CREATE|os.O_TRUNC); err != nil {
		return s, 0, storageError(err)
	}
	h, err := s.log.acquire(at)
	if err != nil {
		return s, 0, storageError(err)
	}
	defer h.release()
	w := cleanWriter{h: h, seg: s, interval: l.config().IndexIntervalBytes, buf: r.out[:0]}
	r.kept = nil
	before := int64(0)
	for _, old := range group {
		err := l.eachWhole(old, func(b record.Batch) (bool, error) { return false, w.take(r, b) })
		if err != nil {
			return s, 0, err
		}
		before += old.size
	}
	r.out = w.buf
	if err := w.flush(); err != nil {
		return s, 0, storageError(err)
	}
	if len(r.kept) > 0 {
		if err := l.writeFile(l.path(s.base, txnIndexExt)+cleanedSuffix, r.kept, true); err != nil {
			return s, 0, storageError(err)
		}
		s.txn.disk, s.txn.lastKey, s.txnFile = len(r.kept)/txnEntry, r.last, true
		s.txn.sum(r.kept)
	}
	failpoint.Hit("commitlog.clean.before_sync", l.fs)
	err = l.syncCleaned(s, h)
	failpoint.Hit("commitlog.clean.after_sync", l.fs)
	return s, before, storageError(err)
}

// cleanWriter gathers batches and writes them in large pieces.
type cleanWriter struct {
	h        io.WriterAt
	seg      *segment
	interval int64
	buf      []byte
}

func (w *cleanWriter) take(r *compactionRun, b record.Batch) error {
	at := len(w.buf)
	buf, err := r.filter.Rewrite(w.buf, b)
	if err != nil {
		return err
	}
	w.buf = buf
	if kept := record.Batch(buf[at:]); len(kept) > 0 {
		w.seg.note(kept, len(kept), w.seg.size+int64(at), w.interval)
	}
	if len(w.buf) < copyBuffer {
		return nil
	}
	return w.flush()
}

func (w *cleanWriter) flush() error {
	if _, err := w.h.WriteAt(w.buf, w.seg.size); err != nil {
		return err
	}
	w.seg.size += int64(len(w.buf))
	w.buf = w.buf[:0]
	return nil
}

// syncCleaned makes a compacted segment durable, not yet its names.
func (l *Log) syncCleaned(s *segment, h *handle) error {
	s.noteTime()
	err := errors.Join(h.Datasync(),
		s.off.trim(l.ref(s.base, indexExt).with(cleanedSuffix)),
		s.tim.trim(l.ref(s.base, timeIndexExt).with(cleanedSuffix)))
	for _, f := range []*file{&s.off.file, &s.tim.file} {
		if x := f.open.Load(); x != nil && err == nil {
			err = x.Datasync()
		}
	}
	return err
}

// discardCleaned removes what an interrupted compaction wrote.
func (l *Log) discardCleaned(base int64, s *segment) {
	s.close()
	for _, ext := range segmentExts {
		err := l.fs.Remove(l.path(base, ext) + cleanedSuffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.logger.Warn("compacted file is left over", "partition", l.name, "err", err)
		}
	}
}

// swapIn puts a compacted segment in the place of those it was made of. It returns
// errGone if they are not part of the log any more.
func (l *Log) swapIn(s *segment, group []*segment) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	i := slices.Index(l.segs, group[0])
	if i < 0 || i+len(group) >= len(l.segs) || !slices.Equal(l.segs[i:i+len(group)], group) {
		return errGone
	}
	if err := l.outdateSnapshots(group[len(group)-1].next); err != nil {
		return err
	}
	failpoint.Hit("commitlog.swap.before_commit", l.fs)
	if err := l.renameAll(s.base, cleanedSuffix, swapSuffix); err != nil {
		return l.fail("swap", err)
	}
	failpoint.Hit("commitlog.swap.after_commit", l.fs)
	l.changed = true
	s.next, s.jitter = group[len(group)-1].next, group[0].jitter
	l.mu.Lock()
	for _, old := range group {
		old.gone = true
	}
	l.segs = slices.Replace(slices.Clone(l.segs), i, i+len(group), s)
	clear(l.hints[:])
	l.mu.Unlock()
	l.producers.broken = nil
	at := time.Now().Add(l.config().FileDeleteDelay)
	for _, old := range group {
		if err := l.doom(old, at); err != nil {
			return err
		}
	}
	failpoint.Hit("commitlog.swap.after_delete", l.fs)
	if err := l.renameAll(s.base, swapSuffix, ""); err != nil {
		return l.fail("swap", err)
	}
	failpoint.Hit("commitlog.swap.after_rename", l.fs)
	return l.removeDoomed(time.Now())
}

// outdateSnapshots removes, for good, the snapshots of producers from before an offset. A
// transaction that is open in one of them may end with a marker that compaction takes,
// together with all its records.
func (l *Log) outdateSnapshots(before int64) error {
	failpoint.Hit("commitlog.swap.before_outdate", l.fs)
	kept := len(l.producers.snapshots)
	if err := l.dropSnapshots(func(at int64) bool { return at < before }); err != nil {
		return err
	}
	if len(l.producers.snapshots) == kept {
		return nil
	}
	return storageError(l.fs.SyncDir(l.dir))
}

// renameAll changes the suffix of a segment's files, of the log last, durably.
func (l *Log) renameAll(base int64, from, to string) error {
	for _, ext := range slices.Backward(segmentExts[:]) {
		name := l.path(base, ext)
		err := l.fs.Rename(name+from, name+to)
		if errors.Is(err, fs.ErrNotExist) && ext != logExt {
			continue
		}
		if err != nil {
			return err
		}
	}
	failpoint.Hit("commitlog.swap.before_syncdir", l.fs)
	return l.fs.SyncDir(l.dir)
}

// finishSwaps ends what a crash interrupted when compacted segments replaced others.
func (l *Log) finishSwaps(entries []fs.DirEntry) ([]fs.DirEntry, error) {
	var bases []int64
	for _, e := range entries {
		if base, ext, ok := parseName(e.Name()); ok && ext == logExt+swapSuffix {
			bases = append(bases, base)
		}
	}
	if len(bases) == 0 {
		return entries, nil
	}
	for _, base := range bases {
		if err := l.finishSwap(base, entries); err != nil {
			return nil, err
		}
	}
	return l.fs.ReadDir(l.dir)
}

func (l *Log) finishSwap(base int64, entries []fs.DirEntry) error {
	failpoint.Hit("commitlog.swap.finish", l.fs)
	next, err := l.swapEnd(base)
	if err != nil {
		return err
	}
	l.logger.Info("compacted segment is swapped in", "partition", l.name, "segment", fileName(base, logExt), "end", next)
	for _, e := range entries {
		old, ext, ok := parseName(e.Name())
		if !ok || old < base || old >= next || !slices.Contains(segmentExts[:], ext) {
			continue
		}
		if err := l.fs.Remove(filepath.Join(l.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	failpoint.Hit("commitlog.swap.after_finish", l.fs)
	return l.renameAll(base, swapSuffix, "")
}

// swapEnd is the offset below which a compacted segment replaces others: it is known to
// be whole.
func (l *Log) swapEnd(base int64) (int64, error) {
	f, err := l.fs.Open(l.path(base, logExt) + swapSuffix)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	next := base + 1
	sc := newScanner(f, 0, size)
	defer sc.close()
	err = eachFrom(&sc, base, func(b record.Batch) { next = max(next, b.NextOffset()) })
	return next, err
}

// leftover reports whether a crash left the file while it was being deleted or written.
func leftover(name string) bool {
	return strings.HasSuffix(name, deletedSuffix) || strings.HasSuffix(name, cleanedSuffix) ||
		strings.HasSuffix(name, swapSuffix) || strings.HasSuffix(name, ".tmp")
}
