package commitlog

import (
	"math"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
)

var _ = failpoint.Register("commitlog.retain.before_start", "commitlog.retain.after_start")

// Retain deletes the oldest segments that retention.ms, retention.bytes or the log
// start offset give up, as far as they lie wholly below the high watermark, and raises
// the start to what is left. The active segment is rolled first if it goes too. It
// returns how many segments were deleted; their files stay for file.delete.delay.ms,
// until a later Retain or CloseIdle.
func (l *Log) Retain(hw int64, now time.Time) (int, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return 0, err
	}
	n, err := l.expired(hw, l.clock.Millis(now))
	if err != nil {
		return 0, err
	}
	if n == len(l.segs) {
		if err := l.roll(l.end); err != nil {
			return 0, err
		}
	}
	if err := l.deleteOldest(n, now); err != nil {
		return 0, err
	}
	l.expireProducers(now)
	return n, l.removeDoomed(now)
}

// Expiry is when Retain has something to delete by retention.ms, if nothing is appended;
// the zero time if it never has.
func (l *Log) Expiry() (time.Time, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	c, s := l.config(), l.segs[0]
	if !c.Delete || c.RetentionMs < 0 || s.size == 0 {
		return time.Time{}, nil
	}
	newest, err := l.newestIn(s)
	if err != nil || newest > math.MaxInt64-c.RetentionMs-1 {
		return time.Time{}, err
	}
	return time.UnixMilli(newest + c.RetentionMs + 1), nil
}

// expired counts the segments, from the oldest on, that may go.
func (l *Log) expired(hw, nowMillis int64) (int, error) {
	c := l.config()
	excess := int64(0)
	if c.Delete && c.RetentionBytes >= 0 {
		excess = sizeOf(l.segs) - c.RetentionBytes
	}
	for i, s := range l.segs {
		if s.next > hw || s == l.active() && s.size == 0 {
			return i, nil
		}
		old := s.next <= l.start && s != l.active()
		if !old && c.Delete && excess >= s.size && c.RetentionBytes >= 0 {
			old = true
		}
		if !old && c.Delete && c.RetentionMs >= 0 {
			newest, err := l.newestIn(s)
			if err != nil {
				return 0, err
			}
			old = nowMillis-newest > c.RetentionMs
		}
		if !old {
			return i, nil
		}
		excess -= s.size
	}
	return len(l.segs), nil
}

// newestIn is the greatest timestamp of a segment, or the time of its last change if
// its records have none.
func (l *Log) newestIn(s *segment) (int64, error) {
	if err := l.loadLocked(s); err != nil {
		return 0, err
	}
	if s.maxTime.key >= 0 {
		return s.maxTime.key, nil
	}
	info, err := l.fs.Stat(l.path(s.base, logExt))
	if err != nil {
		return 0, storageError(err)
	}
	return info.ModTime().UnixMilli(), nil
}

// deleteOldest dooms the n oldest segments, oldest first. Readers leave them before
// their names change.
func (l *Log) deleteOldest(n int, now time.Time) error {
	if n == 0 {
		return nil
	}
	l.changed = true
	failpoint.Hit("commitlog.retain.before_start", l.fs)
	l.mu.Lock()
	old := l.segs[:n]
	l.segs = l.segs[n:len(l.segs):len(l.segs)]
	if first := l.segs[0].base; first > l.start {
		l.advanceStart(first)
	}
	l.recovery = max(l.recovery, l.segs[0].base)
	l.mu.Unlock()
	failpoint.Hit("commitlog.retain.after_start", l.fs)
	for _, s := range old {
		if err := l.doom(s, now.Add(l.config().FileDeleteDelay)); err != nil {
			return err
		}
	}
	return l.dropSnapshots(func(at int64) bool { return at <= old[n-1].base })
}
