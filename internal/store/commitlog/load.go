package commitlog

import (
	"fmt"

	"github.com/odradek/odradek/internal/proto/record"
)

// readIndexes takes over the entries of a segment's index files that can be right, and
// tells whether that is all that they should have. The lock writing is held, or the log
// is being opened.
func (l *Log) readIndexes(s *segment) (whole bool, err error) {
	s.off.disk, s.off.lastKey, s.tim.disk, s.tim.lastKey = 0, -1, 0, -1
	s.off.tail, s.tim.tail = s.off.tail[:0], s.tim.tail[:0]
	if err := l.readTxns(s); err != nil {
		return false, err
	}
	limit := min(s.next-s.base, maxRelative+1)
	if s.next == s.base {
		limit = maxRelative + 1 // the end is not known yet
	}
	off, err := s.off.read(l.ref(s.base, indexExt), func(before, e entry) bool {
		return e.key > before.key && e.value > before.value && e.key < limit && e.value < s.size
	})
	if err != nil {
		return false, storageError(err)
	}
	last := int64(-1)
	tim, err := s.tim.read(l.ref(s.base, timeIndexExt), func(before, e entry) bool {
		ok := e.key > before.key && e.value >= before.value && e.value < limit
		if ok {
			last = e.value
		}
		return ok
	})
	if err != nil {
		return false, storageError(err)
	}
	s.maxTime = entry{s.tim.lastKey, s.base + last}
	return off && tim && (s.tim.disk > 0 || s.size == 0), nil
}

// cutIndexes forgets the entries of batches after the one that ends at the relative
// offset last.
func (l *Log) cutIndexes(s *segment, last int64) error {
	i, off, err := s.off.search(l.ref(s.base, indexExt), byKey, last)
	if err != nil {
		return storageError(err)
	}
	j, tim, err := s.tim.search(l.ref(s.base, timeIndexExt), byValue, last)
	if err != nil {
		return storageError(err)
	}
	cut := i+1 < s.off.count() || j+1 < s.tim.count()
	l.mu.Lock()
	s.off.cut(i+1, off.key)
	s.tim.cut(j+1, tim.key)
	if i < 0 {
		s.off.lastKey = -1
	}
	s.maxTime = entry{tim.key, s.base + tim.value}
	if j < 0 {
		s.tim.lastKey, s.maxTime = -1, entry{noTime, s.base - 1}
	}
	s.sinceEntry, s.firstTime = 0, noTime
	l.mu.Unlock()
	if !cut {
		return nil
	}
	// What is cut must not come back by a crash, in between of newer entries.
	if err := l.trimIndexes(s); err != nil {
		return err
	}
	return storageError(l.syncIndexes(s))
}

func (l *Log) trimIndexes(s *segment) error {
	if err := s.off.trim(l.ref(s.base, indexExt)); err != nil {
		return storageError(err)
	}
	if err := s.tim.trim(l.ref(s.base, timeIndexExt)); err != nil {
		return storageError(err)
	}
	return storageError(l.trimTxns(s))
}

// load makes sure that a segment's indexes are known; those that are missing or damaged
// are made anew. The caller does not hold the lock writing.
func (l *Log) load(s *segment) error {
	l.mu.Lock()
	known := s.known
	l.mu.Unlock()
	if known {
		return nil
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.loadLocked(s)
}

// loadLocked is load for who holds the lock writing.
func (l *Log) loadLocked(s *segment) error {
	if s.known {
		return nil
	}
	if s.gone {
		return errGone
	}
	whole, err := l.readIndexes(s)
	if err != nil {
		return err
	}
	if !whole {
		return l.reindexLocked(s, "missing or damaged")
	}
	l.mu.Lock()
	s.known = true
	l.mu.Unlock()
	return nil
}

// reindex makes a segment's indexes anew after an entry was found to lead nowhere.
func (l *Log) reindex(s *segment) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.reindexLocked(s, "an entry leads to no batch")
}

func (l *Log) reindexLocked(s *segment, why string) error {
	if s.gone {
		return errGone
	}
	l.logger.Warn("index is made anew", "partition", l.name, "segment", fileName(s.base, logExt), "reason", why)
	fresh := newSegment(s.base)
	pos, interval := int64(0), l.config().IndexIntervalBytes
	err := l.eachHeader(s, func(b record.Batch) {
		fresh.note(b, b.Size(), pos, interval)
		pos += int64(b.Size())
	})
	if err != nil {
		if notABatch(err) {
			err = l.corrupt(s, err)
		}
		return fmt.Errorf("make index anew: %w", err)
	}
	if s != l.active() {
		fresh.noteTime()
	}
	l.mu.Lock()
	s.off.disk, s.off.tail, s.off.lastKey = 0, fresh.off.tail, fresh.off.lastKey
	s.tim.disk, s.tim.tail, s.tim.lastKey = 0, fresh.tim.tail, fresh.tim.lastKey
	s.maxTime, s.sinceEntry, s.known = fresh.maxTime, fresh.sinceEntry, true
	l.mu.Unlock()
	return l.trimIndexes(s)
}
