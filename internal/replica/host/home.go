package host

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/odradek/odradek/internal/store/commitlog"
)

// This file is what partitions see of their folder: partition.Home. An error of its disk is
// one that ends the use of the folder, whichever of its files it was: to give up the one
// partition that met it would leave a replica that nobody tries again, on a disk that is
// trusted with the others.

// Open opens the log of a partition as what is known of it asks.
func (f *folder) Open(p *partition.Partition) (partition.Opened, error) {
	tp, id := p.TP(), p.ID()
	if err := f.makeWay(p); err != nil {
		return partition.Opened{}, partition.StorageError(err)
	}
	if err := f.forget(tp); err != nil {
		return partition.Opened{}, partition.StorageError(err)
	}
	f.mu.Lock()
	before, durable := f.ready[id], false
	log, had := before.log, before.had
	delete(f.ready, id)
	f.mu.Unlock()
	if log == nil {
		var err error
		if log, had, durable, err = f.openLog(tp, id, p.Settings().Log); err != nil {
			return partition.Opened{}, err
		}
	}
	log.SetConfig(p.Settings().Log)
	end, epoch, err := f.settle(p, log, had)
	if err != nil {
		return partition.Opened{}, err
	}
	f.mu.Lock()
	hw := f.known[tp].hw
	f.open[tp] = p
	f.mu.Unlock()
	if f.host.opens.Add(1)%relieveEvery == 0 {
		f.host.relieve()
	}
	f.note(tp, log, kept{hw, end}, false)
	return partition.Opened{Log: log, Durable: durable && end <= log.End(), HW: hw, Had: end, LostEpoch: epoch}, nil
}

func (f *folder) openLog(tp model.TopicPartition, id model.IDPartition, c commitlog.Config) (log *commitlog.Log, end had, durable bool, err error) {
	f.mu.Lock()
	r, existed := f.known[tp]
	f.mu.Unlock()
	log, err = commitlog.Open(f.options(tp, id, c, r))
	if errors.Is(err, commitlog.ErrTopicID) {
		if err := f.setAside(tp, "it belongs to another topic of this name"); err != nil {
			return nil, end, false, partition.StorageError(err)
		}
		if err := f.forget(tp); err != nil {
			return nil, end, false, partition.StorageError(err)
		}
		r, existed = resting{}, false
		log, err = commitlog.Open(f.options(tp, id, c, r))
	}
	return log, had{synced: r.recovery, hw: r.hw}, r.clean || !existed, err
}

func (f *folder) options(tp model.TopicPartition, id model.IDPartition, c commitlog.Config, r resting) commitlog.Options {
	cfg := &f.host.cfg
	epochs := int32(0)
	// The newest image: it has all that any leader of the log has heard.
	if t, ok := cfg.Feed.Image().TopicByID(id.Topic); ok && int(id.Partition) < len(t.Partitions) {
		epochs = t.Partitions[id.Partition].LeaderEpoch + 1
	}
	return commitlog.Options{
		FS: cfg.FS, Dir: f.path(tp), ID: id, Topic: tp.Topic, Config: c,
		RecoveryPoint: r.recovery, Start: r.start, FirstDirty: r.dirty, Clean: r.clean, Epochs: epochs,
		Clock: cfg.Clock, Log: cfg.Log, Rand: cfg.Random,
	}
}

// relieveEvery is after how many logs were opened those give up their files that nobody
// has used meanwhile: a process may not have as many files open as there are logs.
const relieveEvery = 500

func (h *Host) relieve() {
	now := time.Now()
	h.eachOpen(func(p *partition.Partition) { p.Rest(now) })
}

// Close closes a log in order and notes where it stands. One that leaves is closed as it is:
// its folder goes, and what is known of it says that it was not closed in order.
func (f *folder) Close(p *partition.Partition, log *commitlog.Log) error {
	f.mu.Lock()
	delete(f.open, p.TP())
	leaves := slices.Contains(f.leaving[p.TP()], p)
	f.mu.Unlock()
	if leaves {
		return log.Abandon()
	}
	return f.rest(p.TP(), log, keptOf(p, log))
}

func (f *folder) rest(tp model.TopicPartition, log *commitlog.Log, k kept) error {
	if err := log.Close(); err != nil {
		return fmt.Errorf("close the log of %s: %w", tp, err)
	}
	f.note(tp, log, k, true)
	return nil
}

// kept is what a partition says of its log: the high watermark, and how far it reached if
// it is short, which stays its recovery point as long.
type kept struct{ hw, had int64 }

func keptOf(p *partition.Partition, log *commitlog.Log) kept {
	hw, had := p.Kept(log.RecoveryPoint())
	return kept{hw, had}
}

// note keeps where a log stands.
func (f *folder) note(tp model.TopicPartition, log *commitlog.Log, k kept, clean bool) {
	now := resting{recovery: max(log.RecoveryPoint(), k.had), start: log.Start(), dirty: log.FirstDirty(), hw: k.hw, clean: clean}
	f.mu.Lock()
	defer f.mu.Unlock()
	was, known := f.known[tp]
	f.stale = f.stale || !known || was.marks() != now.marks()
	now.again, now.by, now.compact = was.again, was.by, was.compact
	f.known[tp] = now
}

// Truncated tells the journal, and lowers what the checkpoints say: a recovery point or a
// high watermark beyond the end would be believed once the log has grown again.
func (f *folder) Truncated(p *partition.Partition, log *commitlog.Log, to int64) error {
	if err := f.journal.Truncated(p.ID(), to); err != nil {
		return err
	}
	f.journal.Replayed(p, p.ID()) // what could not be replayed is void
	return f.Keep(p, log)
}

// Keep writes the checkpoints if those on disk tell of more than a log has now. What is
// known never falls but here, so it is at least what is on disk.
func (f *folder) Keep(p *partition.Partition, log *commitlog.Log) error {
	f.mu.Lock()
	was, owing := f.known[p.TP()], f.owing
	f.mu.Unlock()
	f.note(p.TP(), log, keptOf(p, log), false)
	f.mu.Lock()
	now := f.known[p.TP()]
	f.mu.Unlock()
	if !owing && was.recovery <= now.recovery && was.start <= now.start && was.hw <= now.hw {
		return nil
	}
	return partition.StorageError(f.writeCheckpoints())
}

// Started writes the checkpoints. Of many logs whose start rose together the first writes
// for all.
func (f *folder) Started(*partition.Partition, *commitlog.Log) error {
	return partition.StorageError(f.writeCheckpoints())
}

// Submit hands an append to the journal.
func (f *folder) Submit(p *partition.Partition, base, end int64, batches []byte, awaited bool) error {
	if awaited {
		return f.journal.Add(p, p.ID(), base, end, batches)
	}
	return f.journal.Submit(p, p.ID(), base, end, batches)
}

// Commit has the journal write what it was given, and those of the other folders begin: who
// waits for partitions in several comes to the next only when this disk is done.
func (f *folder) Commit(*partition.Partition) {
	for _, other := range f.host.dirs {
		if other != f && other.journal != nil {
			other.journal.Wake()
		}
	}
	f.journal.Commit()
}
