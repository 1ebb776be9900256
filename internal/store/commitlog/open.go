package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

var _ = failpoint.Register(
	"commitlog.open.before_mkdir", "commitlog.open.before_remove", "commitlog.metadata.before_write",
)

// Open opens the log of a folder, or makes an empty one. After a clean close it reads
// names, sizes and the end of the newest index; otherwise it also checks every batch
// from the recovery point on, and cuts the log at the first that is not whole.
// It returns an error that wraps kerr.KafkaStorageError if the disk fails.
func Open(o Options) (*Log, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &Log{
		fs: o.FS, dir: o.Dir, id: o.ID, rand: o.Rand, clock: o.Clock, logger: o.Log,
		name:       model.TopicPartition{Topic: o.Topic, Partition: o.ID.Partition}.String(),
		compacting: gate.New(), syncing: gate.New(), writing: gate.New(),
		firstDirty: o.FirstDirty, unindexed: none, had: o.Epochs,
	}
	l.SetConfig(o.Config)
	if err := l.open(o); err != nil {
		l.closeFiles()
		return nil, fmt.Errorf("open log of %s in %s: %w", l.name, o.Dir, err)
	}
	return l, nil
}

func (l *Log) open(o Options) error {
	entries, err := l.readDir()
	if err != nil {
		return storageError(err)
	}
	if entries, err = l.finishSwaps(entries); err != nil {
		return storageError(err)
	}
	if err := l.adopt(entries); err != nil {
		return storageError(err)
	}
	if err := l.checkMetadata(); err != nil {
		return err
	}
	found, err := l.loadEpochs()
	if err != nil {
		return err
	}
	if found {
		l.sure = o.RecoveryPoint
	}
	err = l.recover(o, found)
	l.had, l.sure = 0, 0 // there will be more
	return err
}

// readDir lists the folder, which it makes if it is missing.
func (l *Log) readDir() ([]fs.DirEntry, error) {
	entries, err := l.fs.ReadDir(l.dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return entries, err
	}
	l.names.touch()
	l.folder.touch()
	failpoint.Hit("commitlog.open.before_mkdir", l.fs)
	return nil, l.fs.MkdirAll(l.dir, 0o755)
}

// adopt takes the segments and snapshots that the folder has, and removes what a crash
// left: files that were being deleted or written, indexes without their log.
func (l *Log) adopt(entries []fs.DirEntry) error {
	logs := map[int64]*segment{}
	for _, e := range entries {
		base, ext, ok := parseName(e.Name())
		if !ok || ext != logExt {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		s := newSegment(base)
		s.size, s.jitter = info.Size(), l.drawJitter()
		l.segs, logs[base] = append(l.segs, s), s
	}
	slices.SortFunc(l.segs, func(a, b *segment) int { return int(min(1, max(-1, a.base-b.base))) })
	for i := 1; i < len(l.segs); i++ {
		l.segs[i-1].next = l.segs[i].base
	}
	for _, e := range entries {
		if err := l.adoptOther(e.Name(), logs); err != nil {
			return err
		}
	}
	slices.Sort(l.producers.snapshots)
	return nil
}

func (l *Log) adoptOther(name string, logs map[int64]*segment) error {
	base, ext, ok := parseName(name)
	orphan := ok && logs[base] == nil && (ext == indexExt || ext == timeIndexExt || ext == txnIndexExt)
	switch {
	case leftover(name) || orphan:
		failpoint.Hit("commitlog.open.before_remove", l.fs)
		return l.fs.Remove(filepath.Join(l.dir, name))
	case ok && ext == snapshotExt:
		l.producers.snapshots = append(l.producers.snapshots, base)
	case ok && ext == txnIndexExt:
		logs[base].txnFile = true
	}
	return nil
}

// checkMetadata compares the topic id with that of partition.metadata, which it writes
// if it is missing. The first Sync makes it durable: a file that cannot be read belongs
// to a log of which nothing was.
func (l *Log) checkMetadata() error {
	name := filepath.Join(l.dir, metadataName)
	b, err := vfs.ReadFile(l.fs, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return storageError(err)
	}
	id, perr := parseMetadata(string(b))
	switch {
	case err == nil && perr == nil && id == l.id.Topic:
		return nil
	case err == nil && perr == nil && damaged(bytes.TrimSpace(b), metadataText(l.id.Topic)):
		l.logger.Error("the disk has changed the topic id of a folder, which is written anew", "partition", l.name, "dir", l.dir, "found", id, "topic_id", l.id.Topic)
	case err == nil && perr == nil && !l.id.Topic.IsZero():
		return fmt.Errorf("%w: the folder is of topic id %s, wanted %s", ErrTopicID, id, l.id.Topic)
	case l.id.Topic.IsZero():
		return nil
	}
	l.names.touch()
	l.metadata.touch()
	failpoint.Hit("commitlog.metadata.before_write", l.fs)
	return storageError(l.writeFile(name, metadataText(l.id.Topic), false))
}

// damaged reports whether a text is another one, of which the disk has changed one bit. Ids
// of topics are drawn at random: no two are so near.
func damaged(text, once []byte) bool {
	changed := 0
	for i := range min(len(text), len(once)) {
		changed += bits.OnesCount8(text[i] ^ once[i])
	}
	return len(text) == len(once) && changed == 1
}

// writeFile writes a small file anew. Unless it is synced, a crash may leave any part
// of it.
func (l *Log) writeFile(name string, data []byte, sync bool) error {
	f, err := l.fs.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(data, 0); err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ErrTopicID is wrapped by the error of opening another topic's folder.
var ErrTopicID = errors.New("topic id does not match")

func metadataText(id model.ID) []byte {
	return fmt.Appendf(nil, "version: 0\ntopic_id: %s", id)
}

func parseMetadata(text string) (model.ID, error) {
	var id model.ID
	version, topic, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if version != "version: 0" {
		return id, fmt.Errorf("first line %q, want version: 0", version)
	}
	value, ok := strings.CutPrefix(topic, "topic_id: ")
	if !ok {
		return id, fmt.Errorf("second line %q has no topic id", topic)
	}
	return model.ParseID(strings.TrimSpace(value))
}
