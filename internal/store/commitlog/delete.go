package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register("commitlog.delete.before_rename", "commitlog.delete.before_syncdir", "commitlog.delete.after_rename",
	"commitlog.delete.before_remove", "commitlog.drop.before_segment",
	"commitlog.close.before_snapshot", "commitlog.close.before_sync", "commitlog.close.after_sync")

// doomedFile is a file that bears the suffix .deleted and is removed when its time has
// come.
type doomedFile struct {
	name string
	at   time.Time
}

// doom renames the files of a segment that is no longer part of the log and makes that
// durable, so that segments vanish in the order in which they are doomed. They are
// removed at the time given, or at the first look after it. The lock
// writing is held.
func (l *Log) doom(s *segment, at time.Time) error {
	l.mu.Lock()
	s.gone = true
	l.mu.Unlock()
	failpoint.Hit("commitlog.delete.before_rename", l.fs)
	for _, ext := range segmentExts {
		name := l.path(s.base, ext)
		err := l.fs.Rename(name, name+deletedSuffix)
		if errors.Is(err, fs.ErrNotExist) && ext != logExt {
			continue
		}
		if err != nil {
			return l.fail("rename "+name, err)
		}
		l.doomed = append(l.doomed, doomedFile{name + deletedSuffix, at})
	}
	failpoint.Hit("commitlog.delete.before_syncdir", l.fs)
	if err := l.fs.SyncDir(l.dir); err != nil {
		return l.fail("sync folder", err)
	}
	failpoint.Hit("commitlog.delete.after_rename", l.fs)
	return s.close()
}

// dropSegments dooms the segments from number i on, the newest first, so that what a
// crash leaves is a prefix of the log. The lock writing is held.
func (l *Log) dropSegments(i int) error {
	for n := len(l.segs) - 1; n >= i; n-- {
		s := l.segs[n]
		failpoint.Hit("commitlog.drop.before_segment", l.fs)
		l.mu.Lock()
		l.segs = l.segs[:n:n]
		clear(l.hints[:])
		l.mu.Unlock()
		if err := l.doom(s, time.Time{}); err != nil {
			return err
		}
	}
	return l.removeDoomed(time.Now())
}

// removeDoomed removes the files whose time has come.
func (l *Log) removeDoomed(now time.Time) error {
	var later []doomedFile
	var errs []error
	for _, d := range l.doomed {
		if d.at.After(now) {
			later = append(later, d)
			continue
		}
		failpoint.Hit("commitlog.delete.before_remove", l.fs)
		if err := l.fs.Remove(d.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			later = append(later, d)
		}
	}
	l.doomed = later
	return storageError(errors.Join(errs...))
}

func (s *segment) close() error {
	return errors.Join(s.log.close(), s.off.file.close(), s.tim.file.close(), s.txn.file.close())
}

// closeFiles closes what is open.
func (l *Log) closeFiles() error {
	var errs []error
	for _, s := range l.segs {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// CloseIdle closes the files that were not used since the last call and gives back
// memory; all is opened again when it is needed. It also removes files whose
// file.delete.delay.ms has passed.
func (l *Log) CloseIdle(now time.Time) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.closed {
		return nil
	}
	errs := []error{l.removeDoomed(now)}
	for _, s := range l.segs {
		if s.log.open.Load() != nil && !s.log.used.Load() && len(s.off.tail)+len(s.tim.tail)+len(s.txn.tail) > 0 {
			l.flushed(l.flushTails(s))
		}
		errs = append(errs, s.log.closeIdle(), s.off.file.closeIdle(), s.tim.file.closeIdle(), s.txn.file.closeIdle())
	}
	return storageError(errors.Join(errs...))
}

// flushTails writes the indexes' tails and gives their memory back.
func (l *Log) flushTails(s *segment) error {
	for _, f := range []struct {
		x   *index
		ext string
	}{{&s.off, indexExt}, {&s.tim, timeIndexExt}} {
		if err := f.x.flush(l.ref(s.base, f.ext)); err != nil {
			return err
		}
		l.mu.Lock()
		f.x.tail = nil
		l.mu.Unlock()
	}
	return l.flushTxns(s)
}

// Close makes everything durable, indexes and producers' state too, so that the next
// Open may be told that it was clean. If it returns an error the log is closed but not
// clean.
func (l *Log) Close() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.closed {
		return nil
	}
	err := l.leaveClean()
	l.closed = true
	return errors.Join(err, storageError(l.closeFiles()))
}

func (l *Log) leaveClean() error {
	if err := l.failed.Load(); err != nil {
		return *err
	}
	if !l.changed && l.unindexed == none && l.recovery == l.end && !l.names.dirty() && !l.epochsSaved.dirty() {
		return nil
	}
	s := l.active()
	failpoint.Hit("commitlog.close.before_snapshot", l.fs)
	err := l.takeSnapshot()
	if errors.Is(err, kerr.CorruptMessage) && l.unindexed == none {
		l.logger.Warn("no snapshot of producers is left of a log that is damaged", "partition", l.name, "err", err)
		err = nil
	}
	if err := errors.Join(l.finishIndexes(s), err); err != nil {
		return err
	}
	if err := l.syncIndexes(s); err != nil {
		return l.fail("sync", err)
	}
	l.names.touch() // the indexes'
	failpoint.Hit("commitlog.close.before_sync", l.fs)
	end, err := l.sync(l.flushFinished())
	failpoint.Hit("commitlog.close.after_sync", l.fs)
	if err == nil && l.recovery < end {
		err = errors.New("epochs or indexes are not saved")
	}
	return err
}

// Abandon closes the log as it is, for one whose folder goes: no more of it becomes durable,
// and Sync has nothing to do.
func (l *Log) Abandon() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.closed {
		return nil
	}
	l.closed, l.abandoned = true, true
	return storageError(l.closeFiles())
}

// Delete closes the log and removes its folder. Slices that are being sent stay
// readable. What a crash leaves of it has a name that ends in -delete, as Kafka's has.
func (l *Log) Delete() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	l.closed = true
	l.mu.Lock()
	for _, s := range l.segs {
		s.gone = true
	}
	l.mu.Unlock()
	err := l.closeFiles()
	gone := fmt.Sprintf("%s.%x-delete", filepath.Clean(l.dir), l.id.Topic[:])
	if rerr := l.fs.Rename(l.dir, gone); rerr != nil {
		gone = l.dir
	}
	return storageError(errors.Join(err, l.fs.RemoveAll(gone), l.fs.SyncDir(filepath.Dir(l.dir))))
}
