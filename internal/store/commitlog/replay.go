package commitlog

import (
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register("commitlog.replay.before_append", "commitlog.replay.after_append")

// Replay appends what a journal kept of appends to this log, after a crash. base is the
// log end before the append. What the log has, or had before it was compacted or its
// start moved on, is skipped; where the log has records of an older epoch it is cut and
// takes the journal's.
// It returns ErrUnexpectedOffset wrapped if the log ends before base.
//
// No checksum covers a batch's epoch. One that Open has condemned is mended. Where the log
// says that it has had a later one than what the journal has beyond its end, it is the log
// that has rotted: it is cut where that epoch begins, and ends before base.
//
// Bytes are not compared. Open has checked what is above the recovery point, so a batch
// that is there is whole; that it differs from the journal's means that it was compacted
// since, and the log may go on behind it with records that the journal never had.
func (l *Log) Replay(base int64, batches []byte) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	for len(batches) > 0 {
		b, rest, err := record.Split(batches)
		if err != nil {
			return fmt.Errorf("replay: %w: %w", kerr.CorruptMessage, err)
		}
		if !l.covers(b) {
			break
		}
		if err := l.mend(b); err != nil {
			return err
		}
		base, batches = max(base, b.NextOffset()), rest
	}
	if len(batches) == 0 {
		return nil
	}
	if base > l.end {
		return fmt.Errorf("replay of [%d, …), log ends at %d: %w", base, l.end, ErrUnexpectedOffset)
	}
	start := l.start
	if first := record.Batch(batches).BaseOffset(); first < l.end {
		if err := l.truncateTo(first); err != nil {
			return err
		}
	}
	if epoch := record.Batch(batches).LeaderEpoch(); epoch >= 0 && epoch < l.epochs.latest() {
		if err := l.cutAfterEpoch(epoch); err != nil {
			return err
		}
		if end := l.end; base > end {
			if end < start { // nothing is left but what was deleted
				if err := l.restartAt(start); err != nil {
					return err
				}
			}
			return fmt.Errorf("replay of [%d, …), log is rotten from %d on: %w", base, end, ErrUnexpectedOffset)
		}
	}
	failpoint.Hit("commitlog.replay.before_append", l.fs)
	_, err := l.appendAsIs(batches)
	failpoint.Hit("commitlog.replay.after_append", l.fs)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.start < start && start <= l.end {
		l.advanceStart(start) // it lay within a batch, at which the log had to begin
	}
	return err
}

// cutAfterEpoch cuts the log where it begins to tell of later epochs. The locks syncing and
// writing are held.
func (l *Log) cutAfterEpoch(epoch int32) error {
	_, end := l.epochs.end(epoch, l.end)
	end = max(end, 0) // -1: it begins with a later one
	l.logger.Error("log is cut where it tells of a leader epoch that was not yet", "partition", l.name,
		"from", end, "end", l.end, "epoch", l.epochs.latest(), "journal_epoch", epoch)
	return l.truncateTo(end)
}

// mend writes the header of a batch anew that was condemned for its epoch alone, as the
// journal has it. The lock writing is held.
func (l *Log) mend(b record.Batch) error {
	same := func(r Rot) bool { return r.Offset == b.BaseOffset() && r.Next == b.NextOffset() }
	rotten := l.Condemned()
	i := slices.IndexFunc(rotten, same)
	if i < 0 {
		return nil
	}
	s, pos := l.segs[holding(l.segs, b.BaseOffset())], rotten[i].Pos
	h, err := l.acquire(s)
	if err != nil {
		return err
	}
	defer h.release()
	sc := newScanner(h, pos, s.size)
	defer sc.close()
	there, err := sc.batch()
	if err == nil {
		err = there.Verify()
	}
	if err != nil && !notABatch(err) {
		return storageError(err)
	}
	if err != nil || there.CRC() != b.CRC() || there.BaseOffset() != b.BaseOffset() || there.Size() != b.Size() {
		return nil // it is another one
	}
	if _, err := h.WriteAt(b[:record.HeaderLen], pos); err != nil {
		return l.fail("mend", err)
	}
	l.changed = true
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rotten = slices.DeleteFunc(slices.Clone(l.rotten), same)
	l.recovery = min(l.recovery, b.BaseOffset()) // what was written is not durable
	l.setEpochs(l.epochs.with(b.LeaderEpoch(), b.BaseOffset()))
	return nil
}

// covers reports whether the log has gone beyond a batch: it has all its offsets, and
// records of its epoch or a later one. Those need not be at the batch's own offsets, from
// which compaction may have taken everything.
func (l *Log) covers(b record.Batch) bool {
	next := b.NextOffset()
	if next <= l.recovery || next <= l.start {
		return true
	}
	return next <= l.end && l.epochs.latest() >= b.LeaderEpoch()
}
