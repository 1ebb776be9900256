package host

import (
	"context"
	"time"

	"github.com/odradek/odradek/internal/replica/partition"
)

// The duties are done beside each other, each by a goroutine of its own. None opens a
// log for which it has nothing to do.

// retain applies retention to every partition that may have something to delete, and
// puts idle logs to rest.
func (h *Host) retain(ctx context.Context) {
	for _, r := range h.replicas() {
		if ctx.Err() != nil {
			return
		}
		if now := time.Now(); r.dueAt(now) {
			h.tend(r, now)
		}
	}
}

func (h *Host) tend(r *replica, now time.Time) {
	s := r.Settings()
	t, err := r.Tend(now)
	if err != nil {
		if r.Err() == nil {
			h.cfg.Log.Warn("retention", "partition", r.TP(), "err", err)
		}
		return
	}
	f := r.dir()
	f.mu.Lock()
	defer f.mu.Unlock()
	if rest, ok := f.known[r.TP()]; ok {
		rest.again, rest.by, rest.compact = t.Again, s, t.Dirty
		f.known[r.TP()] = rest
	}
}

// dueAt reports whether a partition may have something to delete. A log that is closed
// has what was found at the last visit, unless its settings have changed since.
func (r *replica) dueAt(now time.Time) bool {
	if r.Err() != nil {
		return false
	}
	if r.Opened() != nil {
		return true
	}
	f := r.dir()
	f.mu.Lock()
	defer f.mu.Unlock()
	rest, here := f.known[r.TP()]
	switch {
	case !here:
		return false // it has never had a record
	case rest.by != r.Settings():
		return true
	}
	return !rest.again.IsZero() && !rest.again.After(now)
}

// compact cleans the partitions that need it, one after the other.
func (h *Host) compact(ctx context.Context) {
	for _, r := range h.replicas() {
		for ctx.Err() == nil && r.isDirty() {
			more, err := r.Compact(time.Now())
			if err != nil {
				h.cfg.Log.Warn("compaction", "partition", r.TP(), "err", err)
			}
			if err != nil || !more {
				break
			}
		}
	}
}

// isDirty reports whether a log is to be compacted, if it is worth it. Of one that is
// closed that was found out when it was last visited.
func (r *replica) isDirty() bool {
	if !r.Settings().Log.Compact || r.Err() != nil {
		return false
	}
	if r.Opened() != nil {
		return true
	}
	f := r.dir()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[r.TP()].compact
}

// syncByAge syncs logs whose topic asks for it by time (flush.ms).
func (h *Host) syncByAge(ctx context.Context) {
	h.eachOpen(func(p *partition.Partition) {
		if ctx.Err() == nil {
			_ = p.SyncByAge(time.Now()) // if it fails the partition is offline, and that is told
		}
	})
}

func (h *Host) eachOpen(do func(*partition.Partition)) {
	for _, f := range h.dirs {
		for _, p := range f.opened() {
			do(p)
		}
	}
}
