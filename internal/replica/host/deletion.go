package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
)

var _ = failpoint.Register("host.discard.before_journal", "host.discard.before_rename", "host.discard.after_rename",
	"host.discard.after_syncdir", "host.discard.before_remove")

// Suffixes of folders that hold no partition any more.
const (
	deleteSuffix = "-delete" // the cluster's log says so; removed after a while
	straySuffix  = "-stray"  // it belongs to another topic of the same name; kept
)

// deletion is a folder that is to be removed.
type deletion struct {
	path string
	at   time.Time
}

// leave begins the end of a partition that the cluster's log says is here no more. It
// does not wait: the deleter goroutine does the rest, or whoever needs the name first.
func (f *folder) leave(p *partition.Partition) {
	p.Stop()
	f.count.Add(-1)
	f.mu.Lock()
	f.leaving[p.TP()] = append(f.leaving[p.TP()], p)
	f.mu.Unlock()
	select {
	case f.host.discards <- struct{}{}:
	default:
	}
}

// makeWay discards the partitions that had p's name before it.
func (f *folder) makeWay(p *partition.Partition) error {
	f.mu.Lock()
	before := slices.Clone(f.leaving[p.TP()])
	f.mu.Unlock()
	if i := slices.Index(before, p); i >= 0 { // it was deleted while it opens
		before = before[:i]
	}
	return f.discard(context.Background(), before, true)
}

// discardAll discards the partitions that are leaving. marked says that the journal
// runs, and is told.
func (f *folder) discardAll(ctx context.Context, marked bool) error {
	f.mu.Lock()
	var all []*partition.Partition
	for _, list := range f.leaving {
		all = append(all, list...)
	}
	f.mu.Unlock()
	if f.err() != nil {
		return nil
	}
	return f.discard(ctx, sorted(all), marked)
}

func (f *folder) discard(ctx context.Context, list []*partition.Partition, marked bool) error {
	if len(list) == 0 {
		return nil
	}
	for some := range slices.Chunk(list, discardAtOnce) {
		if ctx.Err() != nil {
			return nil // close does the rest
		}
		for _, p := range some {
			if err := p.Close(); err != nil {
				f.host.cfg.Log.Warn("close a partition that is deleted", "partition", p.TP(), "err", err)
			}
		}
		if err := f.discardClosed(some, marked); err != nil {
			return err
		}
	}
	err := f.host.cfg.FS.SyncDir(f.Path)
	failpoint.Hit("host.discard.after_syncdir", f.host.cfg.FS)
	return err
}

// discardAtOnce is how many partitions the journal is told of at once, which waits for the disk.
const discardAtOnce = 256

// discardClosed renames the folders of partitions that are closed; they are removed later:
// readers may still hold their files. The names are durable after SyncDir.
//
// The journal forgets first. Were a folder gone and the journal not told, a partition
// that comes back here would be given the old records. If the disk is too full to tell
// it, the cluster's log must do: it does not place the partition here, and a replay
// drops what it does not place.
func (f *folder) discardClosed(list []*partition.Partition, marked bool) error {
	f.moving.Lock()
	defer f.moving.Unlock()
	still := list[:0:0]
	ids := make([]model.IDPartition, 0, len(list))
	f.mu.Lock()
	for _, p := range list {
		if slices.Contains(f.leaving[p.TP()], p) { // else somebody was faster
			still, ids = append(still, p), append(ids, p.ID())
		}
	}
	f.mu.Unlock()
	if marked && len(ids) > 0 {
		failpoint.Hit("host.discard.before_journal", f.host.cfg.FS)
		if err := f.journal.Deleted(ids...); err != nil && !errors.Is(err, vfs.ErrNoSpace) {
			return fmt.Errorf("delete %s and %d more: %w", still[0].TP(), len(still)-1, err)
		}
	}
	for _, p := range still {
		if err := f.discardOne(p); err != nil {
			return err
		}
	}
	return nil
}

// discardOne renames the folder of one of them. The gate moving is closed.
func (f *folder) discardOne(p *partition.Partition) error {
	tp := p.TP()
	f.mu.Lock()
	_, here := f.known[tp]
	ready, unopened := f.ready[p.ID()]
	delete(f.ready, p.ID())
	f.mu.Unlock()
	if unopened {
		ready.log.Abandon() // it is void, whatever it says
	}
	if here {
		gone, err := f.moveAside(tp, deleteSuffix)
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.due = append(f.due, deletion{path: gone, at: time.Now().Add(f.host.cfg.DeleteDelay)})
		f.mu.Unlock()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if left := slices.DeleteFunc(f.leaving[tp], func(other *partition.Partition) bool { return other == p }); len(left) > 0 {
		f.leaving[tp] = left
	} else {
		delete(f.leaving, tp)
	}
	return nil
}

// setAside moves a folder out of the way that is not the partition's. Nothing is deleted
// because of what is not known.
func (f *folder) setAside(tp model.TopicPartition, why string) error {
	f.moving.Lock()
	defer f.moving.Unlock()
	if err := f.retire(tp); err != nil {
		return err
	}
	aside, err := f.moveAside(tp, straySuffix)
	if err != nil {
		return err
	}
	f.host.cfg.Log.Warn("folder of a partition is moved aside", "partition", tp, "to", aside, "why", why)
	return f.host.cfg.FS.SyncDir(f.Path)
}

// retire gives a folder that is to be set aside what the journal has of it, as far as it
// could be replayed, and has the journal forget it, which would sync it by the names that
// its files had. If that cannot be, as on a full disk, the folder stays what it was.
func (f *folder) retire(tp model.TopicPartition) error {
	f.mu.Lock()
	gone := make(map[model.IDPartition]replayed)
	for id, r := range f.ready {
		if r.tp == tp {
			gone[id] = r
		}
	}
	f.mu.Unlock()
	for id, r := range gone {
		if _, err := r.log.Sync(); err != nil {
			return err
		}
		if err := f.journal.Deleted(id); err != nil {
			return fmt.Errorf("set %s aside: %w", tp, err)
		}
		f.mu.Lock()
		delete(f.ready, id)
		f.mu.Unlock()
		if err := r.log.Close(); err != nil {
			f.host.cfg.Log.Warn("close a log that is set aside", "partition", tp, "err", err) // who opens it scans it
		}
	}
	return nil
}

// moveAside gives the folder of a partition a name that nobody else has, and forgets
// what was known of it. The name keeps to 255 bytes, as Kafka's does.
func (f *folder) moveAside(tp model.TopicPartition, suffix string) (string, error) {
	cfg := &f.host.cfg
	var unique [16]byte
	binary.BigEndian.PutUint64(unique[:], cfg.Random())
	binary.BigEndian.PutUint64(unique[8:], cfg.Random())
	tail := fmt.Sprintf("-%d.%x%s", tp.Partition, unique, suffix)
	aside := filepath.Join(f.Path, tp.Topic[:min(len(tp.Topic), 255-len(tail))]+tail)
	failpoint.Hit("host.discard.before_rename", cfg.FS)
	if err := cfg.FS.Rename(f.path(tp), aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("move the folder of %s aside: %w", tp, err)
	}
	failpoint.Hit("host.discard.after_rename", cfg.FS)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.known, tp)
	f.stale, f.gone[tp] = true, true
	return aside, nil
}

// deleteLoop discards partitions that leave, and removes the folders of those that were
// discarded a while ago.
func (h *Host) deleteLoop(ctx context.Context) error {
	t := time.NewTicker(h.cfg.DeleteDelay/4 + 1)
	defer t.Stop()
	for {
		for _, f := range h.dirs {
			if err := f.discardAll(ctx, true); err != nil {
				h.failedTo("delete partitions", f, err)
			}
			f.removeDue(time.Now())
		}
		select {
		case <-t.C:
		case <-h.discards:
		case <-ctx.Done():
			return nil
		}
	}
}

// failedTo takes a folder offline unless its disk is only full.
func (h *Host) failedTo(what string, f *folder, err error) {
	if partition.Passing(err) {
		h.cfg.Log.Warn("the disk is full or descriptors are used up, it will be tried again", "to", what, "dir", f.Path, "err", err)
		return
	}
	h.offline(f, fmt.Errorf("%s: %w", what, err))
}

func (f *folder) removeDue(now time.Time) {
	for _, path := range f.takeDue(now) {
		failpoint.Hit("host.discard.before_remove", f.host.cfg.FS)
		if err := f.host.cfg.FS.RemoveAll(path); err != nil {
			f.host.cfg.Log.Warn("remove a deleted folder", "path", path, "err", err)
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
