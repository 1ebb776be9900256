package host

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/odradek/odradek/internal/store/journal"
)

// Dir is a log folder and its identity (meta.properties).
type Dir struct {
	Path string
	ID   model.ID // zero if it is not known
	// Err is why the folder cannot be used, if that is known already.
	Err error
	// Vital says that the node cannot go on without the folder.
	Vital bool
}

const (
	lockName    = ".lock"
	journalName = "journal"
)

// folder is one log folder: its lock, its journal, what is open in it, and what its
// checkpoints say of the rest. It is the partitions' Home.
type folder struct {
	Dir
	host    *Host
	lock    io.Closer
	journal *journal.Journal
	count   atomic.Int32 // of partitions that live here

	// Set when the folder is opened: whether known has all that was there, and the broker
	// epoch that the mark of a clean shutdown names, -1 if there is none.
	listed     bool
	endedEpoch int64
	abandoned  []string // copies that were not finished when the node ended

	// moving is held, across the disk, while folders of partitions are renamed. Taken
	// before mu.
	moving gate.Gate

	// checkpointing is held, across the disk, while checkpoints are written; it guards
	// written, the checksums of them as they stand on disk. Taken before mu.
	checkpointing gate.Gate
	written       map[string]checksum

	mu      sync.Mutex // guards what follows, for moments only
	failed  error
	spoiled bool // a log is not trusted any more: the folder will not be marked as clean
	known   map[model.TopicPartition]resting
	stale   bool // known has changed since the checkpoints were written
	owing   bool // the checkpoints could not be written: they may tell of more than known
	// gone are partitions that the checkpoints on disk still have, though their folders
	// are not here any more. Before a name is used again its lines must go: a log would
	// be cut to where another one began.
	gone    map[model.TopicPartition]bool
	open    map[model.TopicPartition]*partition.Partition
	ready   map[model.IDPartition]replayed
	leaving map[model.TopicPartition][]*partition.Partition // the longest first
	due     []deletion
}

// resting is what is known of a partition whose log is not open.
type resting struct {
	recovery, start, dirty, hw int64
	clean                      bool // closed in order

	// When retention has something to do, by which settings that was found out, and
	// whether compaction has; no settings if nobody has looked.
	again   time.Time
	by      *partition.Settings
	compact bool
}

// marks are what checkpoints keep.
func (r resting) marks() resting {
	return resting{recovery: r.recovery, start: r.start, dirty: r.dirty, hw: r.hw}
}

// openFolder locks a folder, reads what it says and replays its journal. A folder for
// which that fails is offline.
func openFolder(h *Host, d Dir) *folder {
	f := &folder{
		Dir: d, host: h, endedEpoch: -1, moving: gate.New(), checkpointing: gate.New(),
		written: make(map[string]checksum),
		known:   make(map[model.TopicPartition]resting),
		gone:    make(map[model.TopicPartition]bool),
		open:    make(map[model.TopicPartition]*partition.Partition),
		ready:   make(map[model.IDPartition]replayed),
		leaving: make(map[model.TopicPartition][]*partition.Partition),
	}
	err := d.Err
	if err == nil {
		err = f.start()
	}
	if err != nil {
		f.failed = fmt.Errorf("log folder %s: %w", d.Path, err)
		f.release()
	}
	return f
}

func (f *folder) start() (err error) {
	cfg := &f.host.cfg
	// First of all what is here: even if the rest fails it is known what is not lost.
	if err = f.list(); err != nil {
		return err
	}
	if f.lock, err = cfg.FS.Lock(filepath.Join(f.Path, lockName)); err != nil {
		return fmt.Errorf("is another broker running on it? %w", err)
	}
	if err = f.readCheckpoints(); err != nil {
		return err
	}
	var entries []journal.Entry
	dir := filepath.Join(f.Path, journalName)
	if err = vfs.MkdirAllDurable(cfg.FS, dir, 0o755); err != nil {
		return err
	}
	f.journal, entries, err = journal.Open(journal.Config{
		FS: cfg.FS, Dir: dir, FileBytes: cfg.JournalFileBytes, SmallBytes: cfg.JournalSmallBytes,
		Random: cfg.Random, Log: cfg.Log,
	})
	if err != nil {
		return err
	}
	if err = f.replay(entries, cfg.Feed.Image()); err != nil || len(f.gone) == 0 {
		return err
	}
	if err = f.writeCheckpoints(); partition.Passing(err) {
		return nil // whoever needs a name that is gone tries again
	}
	return err
}

// release gives up what a folder holds that does not work.
func (f *folder) release() {
	for _, r := range f.ready {
		r.log.Close() // what it could not keep is in the journal still
	}
	if f.lock != nil {
		f.lock.Close()
	}
	f.lock, f.journal = nil, nil
}

// list finds the partitions that are here, and what is left of deleted ones.
func (f *folder) list() error {
	entries, err := f.host.cfg.FS.ReadDir(f.Path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() && strings.HasSuffix(name, deleteSuffix) {
			f.due = append(f.due, deletion{path: filepath.Join(f.Path, name)})
			continue
		}
		if e.IsDir() && strings.HasSuffix(name, futureSuffix) {
			f.abandoned = append(f.abandoned, name)
			continue
		}
		if tp, ok := parseFolderName(name); ok && e.IsDir() && tp.Topic != model.ClusterMetadataTopic {
			f.known[tp] = resting{}
		}
	}
	f.listed = true
	return nil
}

// parseFolderName splits "topic-7"; the names of deleted and stray ones do not parse.
func parseFolderName(name string) (model.TopicPartition, bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 {
		return model.TopicPartition{}, false
	}
	n, err := strconv.ParseInt(name[i+1:], 10, 32)
	ok := err == nil && n >= 0 && model.ValidateTopicName(name[:i]) == nil
	return model.TopicPartition{Topic: name[:i], Partition: int32(n)}, ok
}

func (f *folder) path(tp model.TopicPartition) string { return filepath.Join(f.Path, tp.String()) }

func (f *folder) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// has reports whether the folder of a partition is here, or was when the folder failed.
func (f *folder) has(tp model.TopicPartition) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.known[tp]
	return ok
}

// opened are the partitions whose logs are open, in no order.
func (f *folder) opened() []*partition.Partition {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]*partition.Partition, 0, len(f.open))
	for _, p := range f.open {
		list = append(list, p)
	}
	return list
}

// close ends the folder's use: the last checkpoints, the mark of a clean shutdown if all
// logs were closed in order, the lock.
func (f *folder) close(brokerEpoch int64) error {
	if f.err() != nil {
		return f.unlock()
	}
	var errs []error
	for _, r := range f.ready {
		errs = append(errs, f.rest(r.tp, r.log, kept{f.known[r.tp].hw, r.had.synced}))
	}
	errs = append(errs, f.writeCheckpoints())
	if errors.Join(errs...) == nil && f.isClean() {
		errs = append(errs, f.markClean(brokerEpoch))
	}
	return errors.Join(append(errs, f.unlock())...)
}

func (f *folder) unlock() error {
	if f.lock == nil {
		return nil
	}
	return f.lock.Close()
}

// isClean reports whether every log was closed in order. One that nobody opened since a
// crash is still to be scanned.
func (f *folder) isClean() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.known {
		if !r.clean {
			return false
		}
	}
	return len(f.open) == 0 && !f.spoiled
}
