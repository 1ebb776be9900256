package host

import (
	"errors"
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/odradek/odradek/internal/store/journal"
)

var _ = failpoint.Register("host.replay.before_log", "host.replay.after_log")

// replay puts what the journal made durable back into the logs that a crash took it
// from. The image names the partitions: a crash may have taken a new folder whole.
func (f *folder) replay(entries []journal.Entry, image *metadata.Image) error {
	byID := make(map[model.IDPartition][]journal.Entry)
	for _, e := range entries {
		byID[e.ID] = append(byID[e.ID], e)
	}
	deleted := 0
	for id, list := range byID {
		t, ok := f.placed(image, id)
		if !ok {
			deleted++
			f.host.cfg.Log.Debug("journal has records of a partition that was deleted", "topic_id", id.Topic, "partition", id.Partition)
			if err := f.journal.Deleted(id); err != nil {
				return err
			}
			continue
		}
		if err := f.replayLog(model.TopicPartition{Topic: t.Name, Partition: id.Partition}, id, list); err != nil {
			return fmt.Errorf("replay the journal into %s-%d: %w", t.Name, id.Partition, err)
		}
	}
	if len(byID) > 0 {
		f.host.cfg.Log.Info("journal replayed", "dir", f.Path, "entries", len(entries), "partitions", len(byID)-deleted, "deleted_partitions", deleted)
	}
	return nil
}

// placed finds the topic of a partition that the cluster keeps on this node.
func (f *folder) placed(image *metadata.Image, id model.IDPartition) (*metadata.Topic, bool) {
	t, ok := image.TopicByID(id.Topic)
	if planted.Is(planted.DeleteAbsentFromMetadata) {
		ok = false // nothing of the metadata was read yet
	}
	if !ok || id.Partition < 0 || int(id.Partition) >= len(t.Partitions) {
		return nil, false
	}
	return t, slices.Contains(t.Partitions[id.Partition].Replicas, f.host.cfg.NodeID)
}

// replayed is a log that has back what the journal kept of it, and that its partition has
// not yet asked for. It is what the journal syncs before it forgets.
type replayed struct {
	tp  model.TopicPartition
	log *commitlog.Log
	had had
}

func (r replayed) Sync() (synced int64, err error) { return r.log.Sync() }
func (replayed) Durable(int64)                     {}
func (replayed) Failed(error)                      {}

// replayLog leaves the log open, so that the start does not wait for its sync.
func (f *folder) replayLog(tp model.TopicPartition, id model.IDPartition, entries []journal.Entry) error {
	// The settings are not known yet and do not matter: nothing is deleted here.
	log, had, _, err := f.openLog(tp, id, commitlog.Default())
	if err != nil {
		return err
	}
	failpoint.Hit("host.replay.before_log", f.host.cfg.FS)
	for i, e := range entries {
		err := log.Replay(e.Base, e.Batches)
		if errors.Is(err, commitlog.ErrUnexpectedOffset) {
			had.behind(entries[i:])
			break
		}
		if err != nil {
			return errors.Join(err, log.Close())
		}
	}
	failpoint.Hit("host.replay.after_log", f.host.cfg.FS)
	f.ready[id] = replayed{tp, log, had}
	f.note(tp, log, kept{f.known[tp].hw, had.synced}, false)
	if len(had.rest) == 0 {
		f.journal.Replayed(f.ready[id], id) // else it keeps what could not be replayed
	}
	return nil
}
