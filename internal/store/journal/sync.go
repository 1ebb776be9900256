package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
)

var _ = failpoint.Register("journal.sync.before_segments", "journal.sync.before_report")

// queue is where a slot waits to be synced.
type queue uint8

const (
	notQueued queue = iota
	lazy            // its entries keep a file from being used again
	urgent          // somebody waits
)

func (j *Journal) queueUrgent(s *slot) {
	if s.syncing != nil || s.queue == urgent {
		return // it is looked at again when that sync is done
	}
	s.queue = urgent
	j.urgent = append(j.urgent, s)
	kick(j.syncKick)
}

// queueIfDue has a slot synced if a file that shall be free still needs it.
func (j *Journal) queueIfDue(s *slot) {
	if s.syncing != nil || s.queue != notQueued || s.target == nil || s.covers(j.files.due) {
		return
	}
	s.queue = lazy
	j.lazy = append(j.lazy, s)
	kick(j.syncKick)
}

// covers tells whether the segments hold all entries of groups up to no.
func (s *slot) covers(no uint64) bool { return s.synced >= min(s.last, no) }

// syncJob is one sync of one slot: what it will have done.
type syncJob struct {
	slot   *slot
	target Target
	end    int64  // to report; 0: nobody waits
	wants  uint64 // slot.wants at the start
	last   uint64 // group up to which entries will be in durable segments
}

func (j *Journal) syncLoop(ctx context.Context) error {
	for {
		for job, ok := j.takeSync(); ok; job, ok = j.takeSync() {
			if err := j.sync(job); err != nil {
				return err
			}
		}
		if j.writeBack() {
			continue
		}
		select {
		case <-j.syncKick:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (j *Journal) takeSync() (syncJob, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.dead == nil {
		s := j.popSync()
		if s == nil {
			break
		}
		if s.queue = notQueued; s.target == nil {
			continue // deleted meanwhile
		}
		s.syncing = make(chan struct{})
		return syncJob{slot: s, target: s.target, end: s.want, wants: s.wants, last: min(s.last, j.closed())}, true
	}
	return syncJob{}, false
}

// closed is the number of the last group that takes no more entries. What comes into an
// open one after a sync has begun is not part of it.
func (j *Journal) closed() uint64 {
	if n := len(j.pending); n > 0 {
		return j.pending[n-1].no - 1
	}
	return j.next - 1
}

// popSync returns the next slot to sync: first those that somebody waits for.
func (j *Journal) popSync() *slot {
	if len(j.urgent) > 0 {
		return pop(&j.urgent)
	}
	for len(j.lazy) > 0 && (j.disk == settled || j.crowded()) {
		if s := pop(&j.lazy); s.queue == lazy { // else it became urgent
			return s
		}
	}
	return nil
}

// disk is whether the disk is asked to write all it has before many segments are synced.
type disk uint8

const (
	settled disk = iota
	due          // somebody shall ask
	asked        // somebody does
)

// many segments are synced for a tenth of the processor's time if their disk was asked to
// write everything before.
const many = 256

// writeBack asks the disk if that is due, and tells whether it was. Nothing counts as durable
// by it. Those who wait for a sync get it meanwhile; lazy ones come after.
func (j *Journal) writeBack() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.disk != due || j.dead != nil {
		return false
	}
	j.disk = asked
	j.mu.Unlock()
	vfs.WriteBack(j.cfg.FS, j.cfg.Dir)
	j.mu.Lock()
	j.disk = settled
	for range j.cfg.SyncWorkers {
		kick(j.syncKick)
	}
	return true
}

// crowded tells whether the journal has grown so much that nothing is waited for: the disk
// may be busy with what is not ours.
func (j *Journal) crowded() bool {
	return int64(len(j.files.live))*j.cfg.FileBytes > 2*(j.cfg.LiveBytes+j.files.keep)
}

// pop takes the first of a queue. Its memory is used again once it runs empty.
func pop(q *[]*slot) *slot {
	s := (*q)[0]
	(*q)[0] = nil
	*q = (*q)[1:]
	return s
}

func (j *Journal) sync(job syncJob) error {
	failpoint.Hit("journal.sync.before_segments", j.cfg.FS)
	synced, err := job.target.Sync()
	for tries := 1; errors.Is(err, vfs.ErrNoFiles); tries++ {
		// It could not even open its files; others close theirs in time.
		if tries == 1 {
			j.cfg.Log.Warn("sync waits for a file descriptor", "partition", job.slot.id, "err", err)
		}
		time.Sleep(retryInterval)
		if synced, err = job.target.Sync(); !errors.Is(err, vfs.ErrNoFiles) {
			j.cfg.Log.Info("sync has waited for a file descriptor", "partition", job.slot.id, "tries", tries)
		}
	}
	if err != nil {
		return j.die(fmt.Errorf("sync the segments of %s: %w", job.slot.id, err))
	}
	failpoint.Hit("journal.sync.before_report", j.cfg.FS)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.dead != nil {
		return j.dead
	}
	j.syncDone(job, synced)
	return nil
}

func (j *Journal) syncDone(job syncJob, synced int64) {
	s := job.slot
	s.synced = max(s.synced, job.last)
	// A truncation makes synced smaller than what was asked for.
	if end := min(job.end, synced); end > 0 {
		job.target.Durable(end)
	}
	close(s.syncing)
	s.syncing = nil
	if s.wants == job.wants {
		s.want = 0
	}
	if s.want > 0 {
		j.queueUrgent(s)
	}
	j.queueIfDue(s)
	j.release()
}

// Recycle has the segments of everything in the journal synced, in the background, so
// that a restart has little to replay.
func (j *Journal) Recycle() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.recycle(j.files.live)
}

// recycle makes files due.
func (j *Journal) recycle(files []*file) {
	for _, f := range files {
		j.files.due = max(j.files.due, f.lastNo)
	}
	for _, f := range files {
		for _, s := range f.slots {
			j.queueIfDue(s)
		}
	}
	if len(j.lazy) >= many && j.disk == settled {
		j.disk = due
	}
	kick(j.syncKick) // also if it has become crowded
}
