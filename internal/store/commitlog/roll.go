package commitlog

import (
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
)

var _ = failpoint.Register("commitlog.roll.before_create", "commitlog.roll.after_create")

// Roll starts a new segment if the active one has records.
func (l *Log) Roll() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if l.active().size == 0 {
		return nil
	}
	return l.roll(l.end)
}

// roll closes the active segment and starts a new one, at the log end unless the next
// batch, at first, lies too far beyond for the segment's 32-bit offsets. The lock
// writing is held.
func (l *Log) roll(first int64) error {
	base := l.end
	if first-base > maxRelative/2 {
		// Recovery takes a gap between segments for lost records, but not below the
		// recovery point.
		if err := l.syncBeforeGap(); err != nil {
			return err
		}
		base = first
	}
	if err := l.syncNames(); err != nil {
		return l.fail("sync folder", err)
	}
	l.finish(l.active())
	failpoint.Hit("commitlog.roll.before_create", l.fs)
	s, err := l.createSegment(base)
	if err != nil {
		return err
	}
	failpoint.Hit("commitlog.roll.after_create", l.fs)
	l.changed = true
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.active()
	old.next = base
	if base != l.end {
		l.recovery = l.end
	}
	l.segs = append(l.segs[:len(l.segs):len(l.segs)], s)
	l.dirDirty = true
	return nil
}

// syncNames makes the names of all segments durable before there is another: a crash
// may lose the newest segment, but none before it.
func (l *Log) syncNames() error {
	l.mu.Lock()
	dir, parent := l.dirDirty, l.parentDirty
	l.mu.Unlock()
	if !dir {
		return nil
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	if parent {
		if err := l.fs.SyncDir(filepath.Dir(l.dir)); err != nil {
			return err
		}
	}
	l.mu.Lock()
	l.dirDirty, l.parentDirty = false, false
	l.mu.Unlock()
	return nil
}

func (l *Log) syncBeforeGap() error {
	work := l.dirty()
	if err := l.syncSegments(work); err != nil {
		return l.fail("sync before a gap", err)
	}
	return storageError(l.saveEpochs(work.epochs))
}

// finish writes what a segment keeps in memory when it takes no more records. A full
// disk does not matter: it stays in memory.
func (l *Log) finish(s *segment) {
	l.flushed(l.finishIndexes(s))
	l.flushed(l.takeSnapshot())
}

func (l *Log) finishIndexes(s *segment) error {
	l.mu.Lock()
	s.noteTime()
	s.unsynced = true
	l.mu.Unlock()
	return l.trimIndexes(s)
}

// restartAt makes the log empty, with its start and end at offset. The lock writing is
// held, or the log is being opened.
func (l *Log) restartAt(offset int64) error {
	for _, s := range slices.Backward(l.segs) {
		if err := l.doom(s, 0); err != nil {
			return err
		}
	}
	if err := errors.Join(l.removeDoomed(time.Now()), l.dropProducers()); err != nil {
		return l.fail("empty", err)
	}
	s, err := l.createSegment(offset)
	if err != nil {
		return l.fail("make the first segment", err)
	}
	l.changed = true
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segs = []*segment{s}
	clear(l.hints[:])
	l.start, l.end, l.recovery = offset, offset, offset
	l.firstDirty = min(l.firstDirty, offset)
	l.setEpochs(nil)
	l.dirDirty = true
	return nil
}
