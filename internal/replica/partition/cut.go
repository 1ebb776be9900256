package partition

import (
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
)

var _ = failpoint.Register(
	"partition.cut.before_mark", "partition.cut.before_truncate", "partition.cut.before_keep",
	"partition.restart.before_mark", "partition.restart.before_truncate", "partition.restart.before_sync",
	"partition.restart.before_keep",
)

// Truncate cuts off what is not in the leader's log, by the leader's word on where an
// epoch ends (the diverging epoch of a Fetch, KIP-595; KIP-101, KIP-279). The next fetch
// tells whether that was all. It waits for the disk.
// It returns kerr.FencedLeaderEpoch wrapped if the replica does not follow in that epoch
// any more, and an error that matches vfs.ErrNoSpace on a full disk, which may pass.
func (p *Partition) Truncate(epoch int32, d EpochEnd) error {
	if _, err := p.Log(); err != nil {
		return err
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.followsIn(epoch); err != nil {
		return err
	}
	log := p.log.Load() // it may have been replaced meanwhile
	return p.storage(p.cut(log, cutAt(log, d)))
}

// cutAt is where the logs may still be the same: the end of the greatest epoch that both
// have, up to the shorter of them. Where the leader's epoch is not known here it is the
// end of the greatest one below it, and the leader is asked again from there.
func cutAt(log *commitlog.Log, d EpochEnd) int64 {
	end := log.End()
	known, theirs := log.EpochEnd(d.Epoch)
	switch {
	case d.End < 0:
		return end
	case known == d.Epoch && theirs >= 0:
		return min(theirs, d.End, end)
	case known != model.NoEpoch && theirs >= 0:
		return min(theirs, end)
	}
	return min(d.End, end)
}

// cut truncates the log to offset, or to the end of the last batch before it. The journal
// and the checkpoints come first: whenever a crash comes, what is cut off does not come
// back behind something newer. writing is held.
func (p *Partition) cut(log *commitlog.Log, offset int64) error {
	if offset >= log.End() {
		return nil
	}
	to, err := log.BeginCut(offset)
	if err != nil {
		return err
	}
	p.lower(log, to, to)
	failpoint.Hit("partition.cut.before_mark", p.on)
	if err := p.home.Truncated(p, log, to); err != nil {
		log.CancelCut()
		return err
	}
	failpoint.Hit("partition.cut.before_truncate", p.on)
	if err := log.TruncateTo(to); err != nil {
		return err
	}
	failpoint.Hit("partition.cut.before_keep", p.on)
	if log.End() != to {
		return fmt.Errorf("%w: %s was cut at %d and ends at %d", commitlog.ErrInvariant, p.tp, to, log.End())
	}
	p.mu.Lock()
	p.durable = min(p.durable, to)   // nothing beyond is reported any more
	p.rot.owes = min(p.rot.owes, to) // nor had the leader what was there before
	p.mu.Unlock()
	return p.home.Keep(p, log)
}

// Restart begins anew at the leader's log start, if the log ends before: what lies in
// between is deleted everywhere. It waits for the disk.
// It fails as Truncate does.
func (p *Partition) Restart(epoch int32, at int64) error {
	if _, err := p.Log(); err != nil {
		return err
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.followsIn(epoch); err != nil {
		return err
	}
	log := p.log.Load() // it may have been replaced meanwhile
	if at > log.End() {
		return p.storage(p.restart(log, at))
	}
	return p.storage(p.raise(log, p.startFor(at)))
}

// startFor is how far the log start may follow the leader's, which is at. Mostly that is
// late news. But a replica that is rotten asks from where it can be trusted: below the
// leader's start there is nothing for it to fetch, and nothing that it needs. What the
// leader has deleted was committed.
func (p *Partition) startFor(at int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isRotten() && p.rot.at < at && at <= p.durable && at > p.hw.Load() {
		p.hw.Store(at)
		p.wake()
	}
	return min(at, p.hw.Load())
}

// restart empties the log, to begin at an offset. writing is held.
func (p *Partition) restart(log *commitlog.Log, at int64) error {
	if _, err := log.BeginCut(0); err != nil {
		return err
	}
	p.lower(log, 0, at)
	failpoint.Hit("partition.restart.before_mark", p.on)
	if err := p.home.Truncated(p, log, 0); err != nil {
		log.CancelCut()
		return err
	}
	failpoint.Hit("partition.restart.before_truncate", p.on)
	if err := log.TruncateFullyAndStartAt(at); err != nil {
		return err
	}
	failpoint.Hit("partition.restart.before_sync", p.on)
	// The new segment's name must outlive a crash before anything in it is acknowledged.
	if _, err := log.Sync(); err != nil {
		return err
	}
	p.mu.Lock()
	p.durable, p.keptStart = at, unknown
	p.hw.Store(at)
	p.following.same = at
	p.mu.Unlock()
	failpoint.Hit("partition.restart.before_keep", p.on)
	return p.home.Keep(p, log)
}

// beginWithin has an empty log begin with the leader's batch that holds the log start, which
// DeleteRecords has moved there. The leader may have been told of the start, and does not
// wait for it again: it stays where it is, as do all marks, and is on disk before the
// segment goes whose name tells it. writing is held.
func (p *Partition) beginWithin(log *commitlog.Log, batches []byte) error {
	if err := p.keepStart(log); err != nil {
		return err
	}
	if _, err := log.BeginCut(0); err != nil {
		return err
	}
	failpoint.Hit("partition.restart.before_mark", p.on)
	if err := p.home.Truncated(p, log, 0); err != nil {
		log.CancelCut()
		return err
	}
	failpoint.Hit("partition.restart.before_truncate", p.on)
	if _, err := log.BeginWithin(batches); err != nil {
		return p.untaken(err)
	}
	failpoint.Hit("partition.restart.before_sync", p.on)
	end, err := log.Sync()
	if err != nil { // what came is fetched again
		return errors.Join(err, log.TruncateFullyAndStartAt(log.Start()))
	}
	p.Durable(end)
	return nil
}

// lower takes back the marks before the log is cut to end at to and goes on at next. The
// durable end falls when the cut is done: until then the journal may report more.
//
// Below the high watermark nothing is cut unless a leader was elected that did not have
// what was committed (unclean.leader.election.enable), or the log cannot be read.
func (p *Partition) lower(log *commitlog.Log, to, next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hw := p.hw.Load()
	attrs := []any{"partition", p.tp, "epoch", p.role.Epoch, "leader", p.role.Leader, "end", log.End(), "hw", hw, "to", to, "next", next}
	if next < hw {
		p.logger.Error("log is truncated below its high watermark: records that were committed are given up here", attrs...)
	} else {
		p.logger.Info("log is truncated", attrs...)
	}
	p.following.same = min(p.following.same, to)
	p.following.asked, p.following.cut = unknown, true
	if to < hw {
		p.hw.Store(to)
	}
	p.wake()
}
