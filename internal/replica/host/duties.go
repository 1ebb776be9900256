package host

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
)

// runJournal runs the journal of a folder. When it fails the folder is offline, and the
// host goes on with the others, or ends if there are none.
func (h *Host) runJournal(ctx context.Context, f *folder) error {
	err := f.journal.Run(ctx)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	h.offline(f, err)
	for _, other := range h.dirs {
		if other.err() == nil {
			return nil
		}
	}
	return err
}

// offline ends the use of a folder after an error of its disk. Nothing is retried: what
// it holds is not known until it is opened again.
func (h *Host) offline(f *folder, err error) {
	f.mu.Lock()
	first := f.failed == nil
	if first {
		f.failed = err
	}
	f.mu.Unlock()
	if !first {
		return
	}
	h.cfg.Log.Error("log folder is offline", "dir", f.Path, "err", err)
	for _, r := range h.replicas() {
		if r.dir == f {
			r.Failed(err)
		}
	}
}

// retain applies retention to every partition that has records, and puts idle logs to
// rest.
func (h *Host) retain(ctx context.Context) {
	now := time.Now()
	for _, r := range h.replicas() {
		if ctx.Err() != nil {
			return
		}
		if !r.dir.has(r.TP()) || r.Err() != nil {
			continue
		}
		if err := r.Retain(now); err != nil {
			h.cfg.Log.Warn("retention", "partition", r.TP(), "err", err)
		}
	}
}

// syncByAge syncs logs whose topic asks for it by time (flush.ms).
func (h *Host) syncByAge(ctx context.Context) {
	for _, r := range h.replicas() {
		if ctx.Err() != nil {
			return
		}
		if err := r.SyncByAge(time.Now()); err != nil {
			h.cfg.Log.Error("sync", "partition", r.TP(), "err", err)
		}
	}
}

// deleteDue removes the folders of partitions that were deleted a while ago.
func (h *Host) deleteDue(context.Context) {
	now := time.Now()
	for _, f := range h.dirs {
		for _, path := range f.takeDue(now) {
			if err := h.cfg.FS.RemoveAll(path); err != nil {
				h.cfg.Log.Warn("remove a deleted folder", "path", path, "err", err)
			}
		}
	}
}

func (f *folder) takeDue(now time.Time) (paths []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var later []deletion
	for _, d := range f.due {
		if d.at.After(now) {
			later = append(later, d)
		} else {
			paths = append(paths, d.path)
		}
	}
	f.due = later
	return paths
}

// checkpoint writes the offsets that bound the next recovery, where they have changed.
func (h *Host) checkpoint(context.Context) {
	for _, f := range h.dirs {
		if f.err() != nil {
			continue
		}
		if err := h.writeCheckpoints(f); err != nil {
			h.offline(f, err)
		}
	}
}

func (h *Host) writeCheckpoints(f *folder) error {
	f.checkpointing.Lock()
	defer f.checkpointing.Unlock()
	now := h.gather(f)
	for _, name := range []string{recoveryPoints, logStarts, cleanerPoints, highWatermarks} {
		if maps.Equal(now[name], f.written[name]) {
			continue
		}
		if err := writeCheckpoint(h.cfg.FS, f.Path, name, now[name]); err != nil {
			return err
		}
		f.written[name] = now[name]
	}
	return nil
}

// gather collects the offsets of a folder's partitions: open logs are asked, of the
// others what was last known stands.
func (h *Host) gather(f *folder) map[string]checkpoint {
	now := map[string]checkpoint{recoveryPoints: {}, logStarts: {}, cleanerPoints: {}, highWatermarks: {}}
	f.mu.Lock()
	known := maps.Clone(f.known)
	f.mu.Unlock()
	for _, r := range h.replicas() {
		if log := r.Opened(); log != nil && r.dir == f {
			known[r.TP()] = resting{recovery: log.RecoveryPoint(), start: log.Start(), dirty: log.FirstDirty()}
			now[highWatermarks][r.TP()] = r.HighWatermark()
		}
	}
	for tp, r := range known {
		now[recoveryPoints][tp] = r.recovery
		put(now[logStarts], tp, r.start)
		put(now[cleanerPoints], tp, r.dirty)
		if _, open := now[highWatermarks][tp]; !open {
			put(now[highWatermarks], tp, r.recovery)
		}
	}
	return now
}

// put leaves out zero, which is what a missing line means.
func put(c checkpoint, tp model.TopicPartition, offset int64) {
	if offset != 0 {
		c[tp] = offset
	}
}

// DeleteRecords is partition.DeleteRecords made durable: the new start outlives a crash.
func (h *Host) DeleteRecords(p *partition.Partition, before int64) (start int64, err error) {
	start, err = p.DeleteRecords(before)
	if err != nil {
		return start, err
	}
	h.mu.RLock()
	r := h.byID[p.ID()]
	h.mu.RUnlock()
	if r == nil {
		return start, nil
	}
	return start, h.writeCheckpoints(r.dir)
}

// closeFolder writes the last checkpoints and, if all logs were closed in order, the
// mark that says so.
func (h *Host) closeFolder(f *folder, clean bool) error {
	if f.err() != nil {
		return nil
	}
	err := h.writeCheckpoints(f)
	f.mu.Lock()
	for _, r := range f.known {
		clean = clean && r.clean // one that nobody opened since a crash is still to be scanned
	}
	f.mu.Unlock()
	if err == nil && clean {
		err = vfs.WriteFileDurable(h.cfg.FS, filepath.Join(f.Path, cleanMarker), []byte(`{"version":0,"brokerEpoch":-1}`), 0o644)
	}
	return errors.Join(err, f.lock.Close())
}

// compact cleans the partitions that need it, one after the other.
func (h *Host) compact(ctx context.Context) {
	for _, r := range h.replicas() {
		for ctx.Err() == nil && r.Settings().Log.Compact && r.dir.has(r.TP()) && r.Err() == nil {
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
