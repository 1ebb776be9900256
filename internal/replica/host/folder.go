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
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/odradek/odradek/internal/store/journal"
)

// Dir is a log folder and its identity (meta.properties).
type Dir struct {
	Path string
	ID   model.ID
}

// Suffixes of folders that hold no partition any more.
const (
	deleteSuffix = "-delete" // the cluster's log says so; removed after a while
	straySuffix  = "-stray"  // it belongs to another topic of the same name; kept
	lockName     = ".lock"
	journalName  = "journal"
)

// folder is one log folder: its lock, its journal, and what its checkpoints say of
// partitions that are not open.
type folder struct {
	Dir
	cfg     *Config
	lock    io.Closer
	journal *journal.Journal
	count   atomic.Int32 // of partitions that live here

	// checkpointing is held while checkpoints are written; it guards written, which has
	// them as they stand on disk.
	checkpointing gate.Gate
	written       map[string]checkpoint

	mu     sync.Mutex // guards what follows, for moments only
	failed error
	known  map[model.TopicPartition]resting
	due    []deletion
}

// resting is what is known of a partition whose log is not open.
type resting struct {
	recovery, start, dirty int64
	clean                  bool // closed in order
}

type deletion struct {
	path string
	at   time.Time
}

// openFolder locks a folder, reads what it says and replays its journal. With an error
// the folder is offline; it is returned all the same.
func openFolder(cfg *Config, d Dir) (*folder, error) {
	f := &folder{Dir: d, cfg: cfg, checkpointing: gate.New(),
		known: make(map[model.TopicPartition]resting), written: make(map[string]checkpoint)}
	if err := f.start(); err != nil {
		f.failed = fmt.Errorf("log folder %s: %w", d.Path, err)
		if f.lock != nil {
			f.lock.Close()
		}
		return f, f.failed
	}
	return f, nil
}

func (f *folder) start() (err error) {
	if f.lock, err = f.cfg.FS.Lock(filepath.Join(f.Path, lockName)); err != nil {
		return fmt.Errorf("is another broker running on it? %w", err)
	}
	if err = f.readCheckpoints(); err != nil {
		return err
	}
	if err = f.list(); err != nil {
		return err
	}
	var entries []journal.Entry
	dir := filepath.Join(f.Path, journalName)
	if err = vfs.MkdirAllDurable(f.cfg.FS, dir, 0o755); err != nil {
		return err
	}
	f.journal, entries, err = journal.Open(journal.Config{
		FS: f.cfg.FS, Dir: dir, FileBytes: f.cfg.JournalFileBytes, SmallBytes: f.cfg.JournalSmallBytes,
		Random: f.cfg.Random, Log: f.cfg.Log,
	})
	if err != nil {
		return err
	}
	return f.replay(entries, f.cfg.Feed.Image())
}

// readCheckpoints takes the checkpoints and the mark of a clean shutdown, which is
// removed: from here on a crash is unclean.
func (f *folder) readCheckpoints() error {
	for _, name := range []string{recoveryPoints, logStarts, cleanerPoints} {
		c, err := readCheckpoint(f.cfg.FS, f.Path, name)
		if err != nil {
			return err
		}
		f.written[name] = c
	}
	marker := filepath.Join(f.Path, cleanMarker)
	_, err := f.cfg.FS.Stat(marker)
	clean := err == nil
	for tp, at := range f.written[recoveryPoints] {
		f.known[tp] = resting{recovery: at, start: f.written[logStarts][tp], dirty: f.written[cleanerPoints][tp], clean: clean}
	}
	if !clean {
		return nil
	}
	return errors.Join(f.cfg.FS.Remove(marker), f.cfg.FS.SyncDir(f.Path))
}

// list finds the partitions that are here, and what is left of deleted ones.
func (f *folder) list() error {
	entries, err := f.cfg.FS.ReadDir(f.Path)
	if err != nil {
		return err
	}
	here := make(map[model.TopicPartition]resting, len(entries))
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() && strings.HasSuffix(name, deleteSuffix) {
			f.due = append(f.due, deletion{path: filepath.Join(f.Path, name)})
			continue
		}
		if tp, ok := parseFolderName(name); ok && e.IsDir() && tp.Topic != model.ClusterMetadataTopic {
			here[tp] = f.known[tp]
		}
	}
	f.known = here
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

func (f *folder) has(tp model.TopicPartition) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.known[tp]
	return ok
}

// opener returns the func by which a partition opens its log here.
func (f *folder) opener(tp model.TopicPartition, id model.IDPartition) func(*partition.Settings) (*commitlog.Log, bool, error) {
	return func(s *partition.Settings) (*commitlog.Log, bool, error) { return f.openLog(tp, id, s.Log) }
}

// openLog opens a log as what is known of it asks, and tells whether all of it is known
// to be durable.
func (f *folder) openLog(tp model.TopicPartition, id model.IDPartition, c commitlog.Config) (log *commitlog.Log, durable bool, err error) {
	f.mu.Lock()
	r, existed := f.known[tp]
	f.mu.Unlock()
	log, err = commitlog.Open(f.options(tp, id, c, r))
	if errors.Is(err, commitlog.ErrTopicID) {
		f.setAside(tp)
		r, existed = resting{}, false
		log, err = commitlog.Open(f.options(tp, id, c, r))
	}
	if err != nil {
		return nil, false, err
	}
	f.mu.Lock()
	f.known[tp] = resting{recovery: log.RecoveryPoint(), start: log.Start(), dirty: log.FirstDirty()}
	f.mu.Unlock()
	return log, r.clean || !existed, nil
}

func (f *folder) options(tp model.TopicPartition, id model.IDPartition, c commitlog.Config, r resting) commitlog.Options {
	return commitlog.Options{
		FS: f.cfg.FS, Dir: f.path(tp), ID: id, Topic: tp.Topic, Config: c,
		RecoveryPoint: r.recovery, Start: r.start, FirstDirty: r.dirty, Clean: r.clean,
		Log: f.cfg.Log, Rand: f.cfg.Random,
	}
}

// setAside moves a folder out of the way that belongs to another topic of the same
// name. Nothing is deleted because of what is not known.
func (f *folder) setAside(tp model.TopicPartition) {
	aside := f.path(tp) + "." + strconv.FormatInt(time.Now().UnixMilli(), 36) + straySuffix
	f.cfg.Log.Warn("folder belongs to another topic of this name: moved aside", "partition", tp, "to", aside)
	if err := errors.Join(f.cfg.FS.Rename(f.path(tp), aside), f.cfg.FS.SyncDir(f.Path)); err != nil {
		f.cfg.Log.Error("move a stray folder aside", "partition", tp, "err", err)
	}
	f.mu.Lock()
	delete(f.known, tp)
	f.mu.Unlock()
}

// discard renames the folder of a partition that the cluster deleted, and has it
// removed later: readers may still hold its files.
func (f *folder) discard(tp model.TopicPartition, id model.IDPartition) {
	f.mu.Lock()
	_, here := f.known[tp]
	delete(f.known, tp)
	failed := f.failed
	f.mu.Unlock()
	if !here || failed != nil {
		return
	}
	f.journal.Deleted(id)
	gone := fmt.Sprintf("%s.%s%s", f.path(tp), id.Topic, deleteSuffix)
	if err := errors.Join(f.cfg.FS.Rename(f.path(tp), gone), f.cfg.FS.SyncDir(f.Path)); err != nil {
		f.cfg.Log.Error("delete the folder of a partition", "partition", tp, "err", err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.due = append(f.due, deletion{path: gone, at: time.Now().Add(f.cfg.DeleteDelay)})
}

// Submit hands an append to the journal.
func (f *folder) Submit(p *partition.Partition, base, end int64, batches []byte) error {
	return f.journal.Submit(p, p.ID(), base, end, batches)
}
