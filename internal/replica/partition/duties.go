package partition

import (
	"errors"
	"math"
	"time"

	"github.com/odradek/odradek/internal/store/commitlog"
)

// Tended tells what a visit found.
type Tended struct {
	// Again is when retention by time may have work again if nobody appends; zero if it
	// never has.
	Again time.Time
	// Dirty tells that the log is worth being compacted.
	Dirty bool
}

// Tend deletes what the topic's retention no longer keeps, never above the high
// watermark. A log that nobody has used since the last call gives up its files until it
// is used again; one that is closed is opened for the visit only.
func (p *Partition) Tend(now time.Time) (t Tended, err error) {
	if log := p.log.Load(); log != nil {
		t, err = p.tend(log, p.hw.Load(), now)
		if err == nil && !p.used.Swap(false) {
			err = log.CloseIdle(now)
		}
		return t, p.storageOf(log, err)
	}
	p.opening.Lock()
	defer p.opening.Unlock()
	if p.log.Load() != nil {
		return Tended{Again: now}, nil // somebody uses it now
	}
	log, err := p.openDurable()
	if err != nil {
		return Tended{}, err
	}
	t, err = p.tend(log, p.hw.Load(), now)
	return t, p.storage(errors.Join(err, p.home.Close(p, log)))
}

func (p *Partition) tend(log *commitlog.Log, hw int64, now time.Time) (t Tended, err error) {
	c := p.settings.Load().Log
	deleted, err := log.Retain(hw, now)
	if err != nil {
		return Tended{}, err
	}
	if t.Again, err = log.Expiry(); err != nil {
		return Tended{}, err
	}
	if deleted > 0 { // their files are still to be removed
		t.Again = sooner(t.Again, now.Add(c.FileDeleteDelay))
	}
	if c.Compact && (c.MinCompactionLagMs > 0 || c.MaxCompactionLagMs > 0 && c.MaxCompactionLagMs < math.MaxInt64) { // what may not be compacted yet will be
		t.Again = sooner(t.Again, now.Add(time.Hour))
	}
	if !c.Compact {
		return t, nil
	}
	m, err := log.Marks(hw) // what is undecided is not compacted
	if err != nil {
		return t, err
	}
	_, t.Dirty, err = log.Dirt(m.Stable, now)
	return t, err
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// Rest gives up the files that were not used since the last call.
func (p *Partition) Rest(now time.Time) {
	if log := p.log.Load(); log != nil {
		_ = p.storageOf(log, log.CloseIdle(now)) // if it fails the partition is offline, and that is told
	}
}

// Trim removes at once what the log start has left behind, to make room on a full disk.
func (p *Partition) Trim(now time.Time) error {
	log, err := p.Log()
	if err != nil {
		return err
	}
	if _, err := log.Retain(p.hw.Load(), now); err != nil {
		return p.storageOf(log, err)
	}
	return p.storageOf(log, log.CloseIdle(now.Add(p.settings.Load().Log.FileDeleteDelay)))
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
	_, err := log.Sync()
	return p.storageOf(log, err)
}

// Compact cleans the log once, if it is worth it, and reports whether it was: more may be to do.
func (p *Partition) Compact(now time.Time) (more bool, err error) {
	log, err := p.open()
	if err != nil {
		return false, err
	}
	o, err := p.offsets(log)
	if err != nil {
		return false, p.storageOf(log, err)
	}
	done, err := log.Compact(o.Stable, now)
	return done.Ran, p.doubted(p.storageOf(log, err))
}
