package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/odradek/odradek/internal/store/journal"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Broken decides how far the trouble of one partition reaches: a broken invariant ends
// the node, an error of the disk takes the folder offline, anything else is the
// partition's own.
func (f *folder) Broken(p *partition.Partition, err error) {
	f.mu.Lock()
	f.spoiled = true
	f.mu.Unlock()
	switch {
	case errors.Is(err, commitlog.ErrInvariant):
		f.host.cfg.Log.Error("an invariant is broken: the node stops", "partition", p.TP(), "err", err)
		f.host.end(err)
	case errors.Is(err, kerr.KafkaStorageError):
		f.host.offline(f, err)
	default:
		f.host.cfg.Log.Error("partition is offline", "partition", p.TP(), "err", err)
	}
}

// runJournal runs the journal of a folder. When it fails the folder is offline.
func (h *Host) runJournal(ctx context.Context, f *folder) error {
	if err := f.journal.Run(ctx); err != nil && ctx.Err() == nil {
		h.offline(f, err)
	}
	return nil
}

// offline ends the use of a folder after an error of its disk. Nothing is retried: what
// it holds is not known until it is opened again. The host goes on with the others; it
// ends if there are none, or if the node cannot do without this one. A journal that is
// closed is no error of the disk: the host ends, or runJournal tells what it ended of.
func (h *Host) offline(f *folder, err error) {
	if errors.Is(err, journal.ErrClosed) {
		return
	}
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
		if r.dir() == f {
			r.Failed(err)
		}
	}
	if err := h.unusable(); err != nil {
		h.end(err)
	}
}

// unusable is why the host cannot work with the folders that are left, or nil.
func (h *Host) unusable() error {
	var errs []error
	for _, f := range h.dirs {
		err := f.err()
		if err != nil && f.Vital {
			return fmt.Errorf("the node cannot do without its metadata folder: %w", err)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) < len(h.dirs) {
		return nil
	}
	return fmt.Errorf("none of %d log folders can be used: %w", len(h.dirs), errors.Join(errs...))
}

// end has Run return an error, the first that it is given.
func (h *Host) end(err error) {
	select {
	case h.over <- err:
	default:
	}
}

// awaitEnd fails when the host cannot go on.
func (h *Host) awaitEnd(ctx context.Context) error {
	select {
	case err := <-h.over:
		return err
	case <-ctx.Done():
		return nil
	}
}
