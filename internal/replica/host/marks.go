package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
)

var _ = failpoint.Register(
	"host.clean.before_remove", "host.clean.before_syncdir", "host.clean.before_mark", "host.clean.after_mark",
	"host.checkpoint.before_write", "host.checkpoint.between", "host.checkpoint.after_write",
	"host.records.before_checkpoint", "host.records.after_checkpoint",
)

// cleanMarker tells that the folder was closed in order: no log needs a scan. Kafka's
// file, which also names the broker epoch that ended so (KIP-966).
const cleanMarker = ".kafka_cleanshutdown"

type cleanMark struct {
	Version     int   `json:"version"`
	BrokerEpoch int64 `json:"brokerEpoch"`
}

// checksum tells whether a checkpoint is on disk as it would be written now.
type checksum uint64

var checksumSeed = maphash.MakeSeed()

// readCheckpoints takes the checkpoints and the mark of a clean shutdown, which is
// removed: from here on a crash is unclean.
func (f *folder) readCheckpoints() error {
	fsys := f.host.cfg.FS
	read := make(map[string]checkpoint)
	for _, name := range checkpoints {
		c, err := readCheckpoint(fsys, f.Path, name)
		if err != nil {
			return err
		}
		read[name] = c
	}
	clean, err := f.takeCleanMark()
	if err != nil {
		return err
	}
	for tp := range f.known {
		at, ok := read[recoveryPoints][tp]
		f.known[tp] = resting{
			recovery: at, start: read[logStarts][tp], dirty: read[cleanerPoints][tp], hw: read[highWatermarks][tp],
			// A log that the checkpoint does not have was not there when the mark was made.
			clean: clean && ok,
		}
	}
	for _, c := range read {
		for tp := range c {
			if _, here := f.known[tp]; !here {
				f.gone[tp] = true
			}
		}
	}
	f.stale = true
	return nil
}

// forget makes sure that the checkpoints on disk do not know a name that is used anew.
func (f *folder) forget(tp model.TopicPartition) error {
	f.mu.Lock()
	gone := f.gone[tp]
	f.mu.Unlock()
	if !gone {
		return nil
	}
	return f.writeCheckpoints()
}

func (f *folder) takeCleanMark() (clean bool, err error) {
	fsys, name := f.host.cfg.FS, filepath.Join(f.Path, cleanMarker)
	b, err := vfs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m := cleanMark{BrokerEpoch: -1}
	if err := json.Unmarshal(b, &m); err != nil {
		m.BrokerEpoch = -1 // Kafka before 3.7 left the file empty
	}
	f.endedEpoch = m.BrokerEpoch
	failpoint.Hit("host.clean.before_remove", fsys)
	err = fsys.Remove(name)
	failpoint.Hit("host.clean.before_syncdir", fsys)
	return true, errors.Join(err, fsys.SyncDir(f.Path))
}

func (f *folder) markClean(brokerEpoch int64) error {
	b, err := json.Marshal(cleanMark{BrokerEpoch: brokerEpoch})
	if err != nil {
		return err
	}
	failpoint.Hit("host.clean.before_mark", f.host.cfg.FS)
	err = vfs.WriteFileDurable(f.host.cfg.FS, filepath.Join(f.Path, cleanMarker), b, 0o644)
	failpoint.Hit("host.clean.after_mark", f.host.cfg.FS)
	return err
}

// CleanEpoch is the broker epoch after which this node was last stopped in order, as all
// of its folders say; -1 if they do not.
func (h *Host) CleanEpoch() int64 {
	epoch := int64(-1)
	for i, f := range h.dirs {
		if f.err() != nil || i > 0 && f.endedEpoch != epoch {
			return -1
		}
		epoch = f.endedEpoch
	}
	return epoch
}

// checkpoint writes the offsets that bound the next recovery, where they have changed.
func (h *Host) checkpoint(context.Context) {
	for _, f := range h.dirs {
		if f.err() != nil {
			continue
		}
		for _, p := range sorted(f.opened()) {
			p.Audit()
		}
		if err := f.writeCheckpoints(); err != nil {
			h.failedTo("write checkpoints", f, err)
		}
	}
}

// writeCheckpoints asks the open logs where they stand; of the others what was last
// known stands.
func (f *folder) writeCheckpoints() error {
	f.checkpointing.Lock()
	defer f.checkpointing.Unlock()
	for _, p := range f.opened() {
		if log := p.Opened(); log != nil {
			f.note(p.TP(), log, keptOf(p, log), false)
		}
	}
	f.mu.Lock()
	if !f.stale {
		f.mu.Unlock()
		return nil
	}
	f.stale = false
	all, gone := f.gather(), slices.Collect(maps.Keys(f.gone))
	f.mu.Unlock()
	failpoint.Hit("host.checkpoint.before_write", f.host.cfg.FS)
	err := f.write(all)
	failpoint.Hit("host.checkpoint.after_write", f.host.cfg.FS)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.owing = err != nil; err != nil {
		f.stale = true
		return err
	}
	for _, tp := range gone {
		delete(f.gone, tp)
	}
	return nil
}

// gather collects the checkpoints. mu is held.
func (f *folder) gather() map[string]checkpoint {
	all := make(map[string]checkpoint, len(checkpoints))
	for _, name := range checkpoints {
		all[name] = checkpoint{}
	}
	for tp, r := range f.known {
		all[recoveryPoints][tp] = r.recovery
		put(all[logStarts], tp, r.start)
		put(all[cleanerPoints], tp, r.dirty)
		put(all[highWatermarks], tp, r.hw)
	}
	return all
}

// put leaves out zero, which is what a missing line means.
func put(c checkpoint, tp model.TopicPartition, offset int64) {
	if offset != 0 {
		c[tp] = offset
	}
}

func (f *folder) write(all map[string]checkpoint) error {
	for _, name := range checkpoints {
		text := all[name].text()
		sum := checksum(maphash.Bytes(checksumSeed, text))
		if f.written[name] == sum {
			continue
		}
		if err := vfs.WriteFileDurable(f.host.cfg.FS, filepath.Join(f.Path, name), text, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		f.written[name] = sum
		failpoint.Hit("host.checkpoint.between", f.host.cfg.FS)
	}
	return nil
}

// DeleteRecords is partition.DeleteRecords made durable: the new start outlives a crash.
// On a full disk the records go first, and make room for the note that they have.
func (h *Host) DeleteRecords(p *partition.Partition, before int64) (start int64, err error) {
	start, err = p.DeleteRecords(before)
	if err != nil {
		return start, err
	}
	r := h.replica(p.ID())
	if r == nil {
		return start, nil
	}
	failpoint.Hit("host.records.before_checkpoint", h.cfg.FS)
	err = r.dir().writeCheckpoints()
	if errors.Is(err, vfs.ErrNoSpace) {
		if err = p.Trim(time.Now()); err == nil {
			err = r.dir().writeCheckpoints()
		}
	}
	if err != nil {
		h.failedTo("keep a new log start", r.dir(), err)
		return start, partition.StorageError(err)
	}
	failpoint.Hit("host.records.after_checkpoint", h.cfg.FS)
	return start, nil
}

// sorted is for what is seen from outside: it repeats from run to run.
func sorted(list []*partition.Partition) []*partition.Partition {
	slices.SortFunc(list, func(a, b *partition.Partition) int { return comparePartitions(a.TP(), b.TP()) })
	return list
}
