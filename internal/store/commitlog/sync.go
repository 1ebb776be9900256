package commitlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/invariant"
	"github.com/odradek/odradek/internal/base/vfs"
)

var _ = failpoint.Register("commitlog.sync.before_data", "commitlog.sync.before_indexes", "commitlog.sync.before_snapshot",
	"commitlog.sync.after_data", "commitlog.sync.before_folder", "commitlog.sync.after_dir")

// Sync makes everything durable that was appended before the call, and returns the
// offset below which all is. It runs beside appends and reads. After an error the log
// takes no more writes: what the disk kept is not known. Only one that matches
// vfs.ErrNoFiles changes nothing.
func (l *Log) Sync() (int64, error) {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if l.abandoned {
		return l.End(), nil
	}
	l.writing.Lock()
	kept := l.flushFinished()
	l.writing.Unlock()
	return l.sync(kept)
}

// flushFinished writes what a full disk kept in memory of the indexes of older segments,
// which are believed once the recovery point has passed them. The lock writing is held.
func (l *Log) flushFinished() error {
	if l.unindexed != none && l.unindexed < l.active().base {
		if err := l.loadProducers(); err != nil {
			return err
		}
	}
	for _, s := range l.segs[l.firstDirtySegment() : len(l.segs)-1] {
		if len(s.off.tail)+len(s.tim.tail)+len(s.txn.tail) == 0 {
			continue
		}
		if err := l.trimIndexes(s); err != nil {
			return err
		}
	}
	return nil
}

// sync is Sync for who holds the lock syncing. The recovery point stays where it is if
// kept says why older indexes are in memory only.
func (l *Log) sync(kept error) (int64, error) {
	if err := l.failed.Load(); err != nil {
		return 0, *err
	}
	work := l.dirty()
	if !work.any() {
		return work.end, nil
	}
	if err := l.syncSegments(work); errors.Is(err, vfs.ErrNoFiles) {
		// A file could not be opened: no sync has failed, and all may be tried again.
		return 0, storageError(err)
	} else if err != nil {
		return 0, l.fail("sync", err)
	}
	if work.epochsSaved.dirty() {
		if err := l.saveEpochs(work.epochs); err != nil {
			kept = err
		}
	}
	if kept != nil {
		// The records are durable, but a crash must find what tells of them by a scan.
		l.logger.Warn("recovery point stays", "partition", l.name, "err", kept)
		return work.end, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	reached := work.end
	if l.cutting != nil {
		reached = min(reached, *l.cutting)
	}
	if l.recovery = max(l.recovery, reached); l.recovery > l.end || l.start > l.end {
		invariant.Break("%s starts at %d, is durable to %d and ends at %d", l.name, l.start, l.recovery, l.end)
	}
	l.epochsSaved.keep(work.epochsSaved)
	return work.end, nil
}

// syncWork is what is to be made durable, and how far that reaches.
type syncWork struct {
	end                     int64
	segs                    []*segment
	active                  *segment
	names, folder, metadata mark
	epochs                  epochs
	epochsSaved             mark
}

func (w *syncWork) any() bool {
	return len(w.segs) > 0 || w.names.dirty() || w.epochsSaved.dirty()
}

// dirty collects what is not durable.
func (l *Log) dirty() syncWork {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := syncWork{
		end: l.end, active: l.active(), epochs: l.toSave(), epochsSaved: l.epochsSaved,
		names: l.names, folder: l.folder, metadata: l.metadata,
	}
	if i := l.firstDirtySegment(); l.recovery < l.end || i < len(l.segs)-1 {
		w.segs = l.segs[i:]
	}
	return w
}

// firstDirtySegment is the number of the first segment that is not wholly durable. mu or
// the lock syncing is held.
func (l *Log) firstDirtySegment() int {
	i := holding(l.segs, l.recovery)
	for i > 0 && l.segs[i-1].unsynced {
		i--
	}
	return i
}

func (l *Log) syncSegments(w syncWork) error {
	failpoint.Hit("commitlog.sync.before_data", l.fs)
	for _, s := range w.segs {
		if err := l.syncSegment(s, s != w.active); err != nil && !errors.Is(err, errGone) {
			return err
		}
	}
	failpoint.Hit("commitlog.sync.after_data", l.fs)
	if w.metadata.dirty() {
		if err := l.syncFile(metadataName); err != nil {
			return err
		}
	}
	if w.names.dirty() {
		if err := l.fs.SyncDir(l.dir); err != nil {
			return err
		}
	}
	if w.folder.dirty() {
		failpoint.Hit("commitlog.sync.before_folder", l.fs)
		if err := l.fs.SyncDir(filepath.Dir(l.dir)); err != nil {
			return err
		}
	}
	failpoint.Hit("commitlog.sync.after_dir", l.fs)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names.keep(w.names)
	l.folder.keep(w.folder)
	l.metadata.keep(w.metadata)
	return nil
}

// syncSegment makes a segment's records durable; of a finished one also the indexes,
// which are believed from then on.
func (l *Log) syncSegment(s *segment, finished bool) error {
	h, err := l.acquire(s)
	if err != nil {
		return err
	}
	defer h.release()
	if err := h.Datasync(); err != nil || !finished {
		return err
	}
	failpoint.Hit("commitlog.sync.before_indexes", l.fs)
	if err := errors.Join(l.syncIndexes(s), l.syncSnapshot(s)); err != nil {
		return err
	}
	l.mu.Lock()
	s.unsynced = false
	l.mu.Unlock()
	return nil
}

func (l *Log) syncIndexes(s *segment) error {
	for _, f := range []struct {
		x   *index
		ext string
	}{{&s.off, indexExt}, {&s.tim, timeIndexExt}} {
		h, err := f.x.file.acquire(l.ref(s.base, f.ext))
		if err != nil {
			continue // missing: it is made anew when it is needed
		}
		err = h.Datasync()
		h.release()
		if err != nil {
			return err
		}
	}
	return l.syncTxns(s)
}

// syncSnapshot makes the snapshot durable that was taken when the segment was finished: it
// saves reading the log again, which may be long.
func (l *Log) syncSnapshot(s *segment) error {
	l.mu.Lock()
	next := s.next
	l.mu.Unlock()
	failpoint.Hit("commitlog.sync.before_snapshot", l.fs)
	err := l.syncFile(fileName(next, snapshotExt))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (l *Log) syncFile(name string) error {
	f, err := l.fs.OpenFile(filepath.Join(l.dir, name), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Err is why the log takes no more writes, or nil; it wraps kerr.KafkaStorageError.
func (l *Log) Err() error {
	if err := l.failed.Load(); err != nil {
		return *err
	}
	return nil
}
