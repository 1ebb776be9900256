package host

import (
	"fmt"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/odradek/odradek/internal/store/journal"
)

// replay puts what the journal made durable back into the logs that a crash took it
// from, and makes it durable there. Afterwards the logs are as after a clean close. The
// image names the partitions: a crash may have taken a new folder whole.
func (f *folder) replay(entries []journal.Entry, image *metadata.Image) error {
	byID := make(map[model.IDPartition][]journal.Entry)
	for _, e := range entries {
		byID[e.ID] = append(byID[e.ID], e)
	}
	for id, list := range byID {
		t, ok := image.TopicByID(id.Topic)
		if !ok {
			f.cfg.Log.Info("journal has records of a topic that was deleted", "topic_id", id.Topic, "partition", id.Partition)
			f.journal.Deleted(id)
			continue
		}
		if err := f.replayLog(model.TopicPartition{Topic: t.Name, Partition: id.Partition}, id, list); err != nil {
			return fmt.Errorf("replay the journal into %s-%d: %w", t.Name, id.Partition, err)
		}
	}
	if len(byID) > 0 {
		f.cfg.Log.Info("journal replayed", "dir", f.Path, "entries", len(entries), "partitions", len(byID))
	}
	return nil
}

func (f *folder) replayLog(tp model.TopicPartition, id model.IDPartition, entries []journal.Entry) error {
	// The settings are not known yet and do not matter: nothing is deleted here.
	log, _, err := f.openLog(tp, id, commitlog.Default())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := log.Replay(e.Base, e.Batches); err != nil {
			log.Close()
			return err
		}
	}
	if _, err := log.Sync(); err != nil {
		log.Close()
		return err
	}
	rest := resting{recovery: log.End(), start: log.Start(), dirty: log.FirstDirty(), clean: true}
	if err := log.Close(); err != nil {
		return err
	}
	f.known[tp] = rest
	f.journal.Replayed(atRest(rest.recovery), id)
	return nil
}

// atRest is a log that is closed and durable up to its end, as the journal sees it.
type atRest int64

func (a atRest) Sync() (synced int64, err error) { return int64(a), nil }
func (atRest) Durable(int64)                     {}
func (atRest) Failed(error)                      {}
