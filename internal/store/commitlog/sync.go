package commitlog

import (
	"errors"
	"path/filepath"

	"github.com/odradek/odradek/internal/base/failpoint"
)

var _ = failpoint.Register("commitlog.sync.before_data", "commitlog.sync.after_data", "commitlog.sync.after_dir")

// Sync makes everything durable that was appended before the call, and returns the
// offset below which all is. It runs beside appends and reads. After an error the log
// takes no more writes: what the disk kept is not known.
func (l *Log) Sync() (int64, error) {
	l.syncing.lock()
	defer l.syncing.unlock()
	return l.sync()
}

// sync is Sync for who holds the lock syncing.
func (l *Log) sync() (int64, error) {
	if err := l.failed.Load(); err != nil {
		return 0, *err
	}
	work := l.dirty()
	if !work.any() {
		return work.end, nil
	}
	if err := l.syncSegments(work); err != nil {
		return 0, l.fail("sync", err)
	}
	if work.epochsDirty {
		if err := l.saveEpochs(work.epochs); err != nil {
			// The records are durable, but a crash must find their epochs by a scan.
			l.logger.Warn("leader epochs are not saved", "partition", l.name, "err", err)
			l.mu.Lock()
			l.epochsDirty = true
			l.mu.Unlock()
			return work.end, nil
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recovery = max(l.recovery, work.end)
	return work.end, nil
}

// syncWork is what is to be made durable, and how far that reaches.
type syncWork struct {
	end                   int64
	segs                  []*segment
	active                *segment
	dir, parent, metadata bool
	epochs                epochs
	epochsDirty           bool
}

func (w *syncWork) any() bool { return len(w.segs) > 0 || w.dir || w.epochsDirty }

// dirty collects what is not durable and takes over the marks that say so.
func (l *Log) dirty() syncWork {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := syncWork{
		end: l.end, active: l.active(), epochs: l.epochs, epochsDirty: l.epochsDirty,
		dir: l.dirDirty, parent: l.parentDirty, metadata: l.metadataDirty,
	}
	if l.recovery < l.end {
		w.segs = l.segs[holding(l.segs, l.recovery):]
	}
	l.dirDirty, l.parentDirty, l.metadataDirty, l.epochsDirty = false, false, false, false
	return w
}

func (l *Log) syncSegments(w syncWork) error {
	failpoint.Hit("commitlog.sync.before_data", l.fs)
	for _, s := range w.segs {
		if err := l.syncSegment(s, s != w.active); err != nil && !errors.Is(err, errGone) {
			return err
		}
	}
	failpoint.Hit("commitlog.sync.after_data", l.fs)
	if w.metadata {
		if err := l.syncFile(metadataName); err != nil {
			return err
		}
	}
	if w.dir {
		if err := l.fs.SyncDir(l.dir); err != nil {
			return err
		}
	}
	if w.parent {
		if err := l.fs.SyncDir(filepath.Dir(l.dir)); err != nil {
			return err
		}
	}
	failpoint.Hit("commitlog.sync.after_dir", l.fs)
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
	return l.syncIndexes(s)
}

func (l *Log) syncIndexes(s *segment) error {
	for _, f := range []struct {
		x   *index
		ext string
	}{{&s.off, indexExt}, {&s.tim, timeIndexExt}} {
		h, err := f.x.file.acquire(l.fs, l.path(s.base, f.ext))
		if err != nil {
			continue // missing: it is made anew when it is needed
		}
		err = h.Datasync()
		h.release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) syncFile(name string) error {
	f, err := l.fs.Open(filepath.Join(l.dir, name))
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
