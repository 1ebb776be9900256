package commitlog

import (
	"errors"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
)

var _ = failpoint.Register("commitlog.roll.before_create", "commitlog.roll.after_create",
	"commitlog.restart.before_drop", "commitlog.restart.before_create", "commitlog.restart.after_create")

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

// roll finishes the active segment and starts a new one, at the log end unless the next
// batch, at first, lies too far beyond for the segment's 32-bit offsets. What came before
// is made durable first: a crash may tear the newest segment, but leaves no hole before
// it. The lock writing is held.
func (l *Log) roll(first int64) error {
	base := l.end
	if first-base > maxRelative/2 {
		base = first
	}
	l.finish(l.active())
	if err := l.syncBeforeRoll(); err != nil {
		return err
	}
	failpoint.Hit("commitlog.roll.before_create", l.fs)
	s, err := l.createSegment(base)
	if err != nil {
		return err
	}
	failpoint.Hit("commitlog.roll.after_create", l.fs)
	l.changed = true
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active().next = base
	l.segs = append(l.segs[:len(l.segs):len(l.segs)], s)
	l.names.touch()
	return nil
}

// syncBeforeRoll leaves epochs, and with them the recovery point, to the next Sync.
func (l *Log) syncBeforeRoll() error {
	if err := l.syncSegments(l.dirty()); err != nil {
		return l.fail("sync before a roll", err)
	}
	return nil
}

// finish writes what a segment keeps in memory when it takes no more records. A full
// disk does not matter: it stays in memory.
func (l *Log) finish(s *segment) {
	if l.unindexed != none {
		l.flushed(l.loadProducers())
	}
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
func (l *Log) restartAt(offset int64) error { return l.restart(offset, offset) }

// restart makes the log empty, to go on at base. The start may be beyond if what is
// appended next reaches it: nobody is told of an earlier one meanwhile.
func (l *Log) restart(base, start int64) error {
	failpoint.Hit("commitlog.restart.before_drop", l.fs)
	for _, s := range slices.Backward(l.segs) {
		if err := l.doom(s, time.Time{}); err != nil {
			return err
		}
	}
	if err := errors.Join(l.removeDoomed(time.Now()), l.dropProducers()); err != nil {
		return l.fail("empty", err)
	}
	failpoint.Hit("commitlog.restart.before_create", l.fs)
	s, err := l.createSegment(base)
	if err != nil {
		return l.fail("make the first segment", err)
	}
	failpoint.Hit("commitlog.restart.after_create", l.fs)
	l.changed = true
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segs = []*segment{s}
	clear(l.hints[:])
	l.start, l.end, l.recovery, l.rotten = start, base, base, nil
	l.unindexed = none
	l.firstDirty = min(l.firstDirty, base)
	l.setEpochs(nil)
	l.names.touch()
	return nil
}
