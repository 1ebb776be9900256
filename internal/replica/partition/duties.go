package partition

import (
	"math"
	"time"
)

// HighWatermark is the offset below which everything is committed; 0 until the log is
// open.
func (p *Partition) HighWatermark() int64 { return p.hw.Load() }

// Retain deletes what the topic's retention no longer keeps, never above the high
// watermark. A log that nobody has used since the last call gives up its files until
// it is used again.
func (p *Partition) Retain(now time.Time) error {
	log, err := p.open()
	if err != nil {
		return err
	}
	if _, err := log.Retain(p.hw.Load(), now); err != nil {
		return p.storage(err)
	}
	if p.used.Swap(false) {
		return nil
	}
	return log.CloseIdle(now)
}

// SyncByAge syncs the log if its topic asks for it by time (flush.ms) and its oldest
// record that is not synced may be that old.
func (p *Partition) SyncByAge(now time.Time) error {
	s, log := p.settings.Load(), p.log.Load()
	if s.FlushMillis == math.MaxInt64 || log == nil || p.Err() != nil {
		return nil
	}
	p.mu.Lock()
	due := now.Sub(p.syncedAt) >= time.Duration(s.FlushMillis)*time.Millisecond
	if due {
		p.syncedAt = now
	}
	p.mu.Unlock()
	if !due || log.RecoveryPoint() >= log.End() {
		return nil
	}
	if _, err := log.Sync(); err != nil {
		p.Failed(err)
		return p.Err()
	}
	return nil
}

// Compact cleans the log once, if it is worth it, and reports whether it was: more may be to do.
func (p *Partition) Compact(now time.Time) (more bool, err error) {
	log, err := p.open()
	if err != nil {
		return false, err
	}
	done, err := log.Compact(p.hw.Load(), now)
	return done.Ran, p.storage(err)
}
