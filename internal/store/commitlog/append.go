package commitlog

import (
	"errors"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/invariant"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register("commitlog.append.before_write", "commitlog.append.after_write")

// ErrUnexpectedOffset is wrapped by the error of a follower's append that would
// overwrite what is there.
var ErrUnexpectedOffset = errors.New("append is not at the log end")

// Appended is what an append did.
type Appended struct {
	Base, End     int64 // the offsets it took, half open
	Start         int64 // the log start offset
	LogAppendTime int64 // milliseconds, or -1 if the records keep their producer's time and are no duplicate
	Duplicate     bool  // the batch was there already: Base, End and time are the first one's
	Bytes         int   // written
}

// span is what an append is made of.
type span struct {
	first, next int64 // offsets
	firstTime   int64
	maxTime     int64
	epoch       int32
	batches     int
	appendTime  int64
}

// AppendLeader stamps offsets and epoch into one or more validated batches, in place,
// and writes them at the end with one write. A batch of an idempotent producer must
// come alone; one that repeats any of the producer's last five is not written again.
// b is not kept. What is written is not yet durable: see Sync.
// It returns an error of idempotence (kerr.OutOfOrderSequenceNumber and its kin),
// kerr.RecordListTooLarge if b is larger than a segment, ErrInvariant wrapped if the
// epoch falls, or one that wraps kerr.KafkaStorageError; if that also matches
// vfs.ErrNoSpace the log is as it was and the append may be tried again.
func (l *Log) AppendLeader(b []byte, epoch int32, o Origin) (Appended, error) {
	return l.appendLeader(b, epoch, writer{origin: o})
}

// AppendTxn is AppendLeader for a batch of a transaction; g is what BeginTxn gave for it,
// if it gave anything. It also returns kerr.InvalidTxnState if the transaction is not
// known to be ongoing here.
func (l *Log) AppendTxn(b []byte, epoch int32, o Origin, g Guard) (Appended, error) {
	return l.appendLeader(b, epoch, writer{origin: o, guard: g})
}

// AppendMarker is AppendLeader for the control batch that ends a transaction, by the rules
// of a transaction.version.
// It also returns kerr.TransactionCoordinatorFenced and kerr.CorruptMessage.
func (l *Log) AppendMarker(b record.Batch, epoch int32, txnVersion int16) (Appended, error) {
	return l.appendLeader(b, epoch, writer{origin: Coordinator, marker: true, txnVersion: txnVersion})
}

// writer is who has a leader append.
type writer struct {
	guard      Guard
	origin     Origin
	marker     bool // what comes is to be the end of a transaction
	txnVersion int16
}

func (l *Log) appendLeader(b []byte, epoch int32, w writer) (Appended, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return Appended{}, err
	}
	if int64(len(b)) > l.config().SegmentBytes {
		return Appended{}, kerr.RecordListTooLarge
	}
	if epoch < l.epochs.latest() {
		return Appended{}, fmt.Errorf("%w: append in epoch %d after %d", ErrInvariant, epoch, l.epochs.latest())
	}
	sp, err := l.stamp(b, epoch)
	if err != nil {
		return Appended{}, err
	}
	if first := record.Batch(b); first.HasProducer() {
		if sp.batches > 1 {
			return Appended{}, fmt.Errorf("%d batches of a producer in one append: %w", sp.batches, kerr.InvalidRecord)
		}
		if dup, ok, err := l.checkProducer(first, w); err != nil || ok {
			return dup, err
		}
	}
	return l.append(b, sp)
}

// stamp gives the batches their offsets and epoch.
func (l *Log) stamp(b []byte, epoch int32) (span, error) {
	sp := span{first: l.end, next: l.end, epoch: epoch, maxTime: noTime, appendTime: noTime}
	for rest := b; len(rest) > 0; {
		batch, after, err := record.Split(rest)
		if err != nil {
			return sp, fmt.Errorf("append: %w: %w", kerr.CorruptMessage, err)
		}
		batch.Stamp(sp.next, epoch)
		sp.add(batch)
		rest = after
	}
	if sp.batches == 0 {
		return sp, fmt.Errorf("append of nothing: %w", kerr.InvalidRecord)
	}
	return sp, nil
}

func (sp *span) add(b record.Batch) {
	if sp.batches == 0 {
		sp.first, sp.firstTime = b.BaseOffset(), b.MaxTimestamp()
		if !b.HasDeleteHorizon() {
			sp.firstTime = b.BaseTimestamp()
		}
	}
	if b.LogAppendTime() {
		sp.appendTime = b.MaxTimestamp()
	}
	sp.maxTime = max(sp.maxTime, b.MaxTimestamp())
	sp.next = b.NextOffset()
	sp.epoch = b.LeaderEpoch()
	sp.batches++
}

// AppendFollower writes batches as the leader sent them. Their offsets must lie at the
// log end or, where the leader's log is compacted, beyond it, and must grow; their
// epochs may not fall. Checksums are verified.
// It returns kerr.CorruptMessage wrapped if bytes are damaged, ErrUnexpectedOffset
// wrapped if offsets are below the log end, and otherwise what AppendLeader does.
func (l *Log) AppendFollower(b []byte) (Appended, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return Appended{}, err
	}
	return l.appendAsIs(b)
}

func (l *Log) appendAsIs(b []byte) (Appended, error) {
	sp := span{first: l.end, next: l.end, epoch: l.epochs.latest(), maxTime: noTime, appendTime: noTime}
	for rest := b; len(rest) > 0; {
		batch, after, err := record.Split(rest)
		if err == nil {
			err = batch.Verify()
		}
		switch {
		case err != nil:
			return Appended{}, fmt.Errorf("append: %w: %w", kerr.CorruptMessage, err)
		case batch.BaseOffset() < sp.next || batch.LastOffset() < batch.BaseOffset():
			return Appended{}, fmt.Errorf("batch at %d, log end %d: %w", batch.BaseOffset(), sp.next, ErrUnexpectedOffset)
		case batch.LeaderEpoch() >= 0 && batch.LeaderEpoch() < l.epochs.latest() || batch.LeaderEpoch() < sp.epoch && sp.batches > 0:
			return Appended{}, fmt.Errorf("%w: batch of epoch %d at %d after epoch %d", ErrInvariant, batch.LeaderEpoch(), batch.BaseOffset(), l.epochs.latest())
		}
		sp.add(batch)
		rest = after
	}
	if sp.batches == 0 {
		return Appended{Base: l.end, End: l.end, Start: l.start, LogAppendTime: noTime}, nil
	}
	return l.append(b, sp)
}

// append writes batches whose offsets are set. The lock writing is held.
func (l *Log) append(b []byte, sp span) (Appended, error) {
	if err := l.rollFor(len(b), sp); err != nil {
		return Appended{}, fmt.Errorf("roll %s: %w", l.name, err)
	}
	s := l.active()
	if err := l.write(s, b); err != nil {
		return Appended{}, err
	}
	l.changed = true
	l.mu.Lock()
	defer l.mu.Unlock()
	l.applyProducers(s, b)
	l.publish(s, b, sp)
	return Appended{
		Base: sp.first, End: sp.next, Start: l.start,
		LogAppendTime: sp.appendTime, Bytes: len(b),
	}, nil
}

// write puts b at the end of the segment or leaves the segment as it was.
func (l *Log) write(s *segment, b []byte) error {
	h, err := l.acquire(s)
	if err != nil {
		return err
	}
	defer h.release()
	failpoint.Hit("commitlog.append.before_write", l.fs)
	if _, err := h.WriteAt(b, s.size); err != nil {
		err = fmt.Errorf("write to %s: %w", h.Name(), storageError(err))
		if terr := h.Truncate(s.size); terr != nil {
			return l.fail("take back a failed write", errors.Join(err, terr))
		}
		return err
	}
	failpoint.Hit("commitlog.append.after_write", l.fs)
	return nil
}

// publish lets readers see what was written. mu is held.
func (l *Log) publish(s *segment, b []byte, sp span) {
	if sp.first < l.end || sp.next <= l.end {
		invariant.Break("append of [%d, %d) to %s, which ends at %d", sp.first, sp.next, l.name, l.end)
	}
	l.addHint(s, sp.first, s.size)
	interval := l.config().IndexIntervalBytes
	for at := 0; at < len(b); {
		batch := record.Batch(b[at:])
		if e := batch.LeaderEpoch(); e >= 0 && e > l.epochs.latest() {
			l.setEpochs(l.epochs.assign(e, batch.BaseOffset()))
		}
		size := batch.Size()
		s.note(batch, size, s.size, interval)
		s.size += int64(size)
		at += size
	}
	if s.firstTime == noTime {
		s.firstTime = sp.firstTime
	}
	s.next, l.end = sp.next, sp.next
}

// flushIndexes writes what the active segment's indexes have gathered, if it is worth a
// write. A full disk does not matter: they are kept in memory.
func (l *Log) flushIndexes(s *segment) {
	if len(s.off.tail) >= flushEntries*offsetEntry && len(s.off.tail)%(flushEntries*offsetEntry) == 0 {
		l.flushed(s.off.flush(l.ref(s.base, indexExt)))
	}
	if len(s.tim.tail) >= flushEntries*timeEntry && len(s.tim.tail)%(flushEntries*timeEntry) == 0 {
		l.flushed(s.tim.flush(l.ref(s.base, timeIndexExt)))
	}
	if len(s.txn.tail) >= flushEntries*txnEntry {
		l.flushed(l.flushTxns(s))
	}
}

func (l *Log) flushed(err error) {
	if err != nil {
		l.logger.Warn("index is kept in memory", "partition", l.name, "err", err)
	}
}

// rollFor starts a new segment if the active one may not take n more bytes.
func (l *Log) rollFor(n int, sp span) error {
	s := l.active()
	l.flushIndexes(s)
	c := l.config()
	full := c.SegmentIndexBytes
	switch {
	case sp.next-1-s.base > maxRelative: // offsets in indexes are 32 bits
	case s.size == 0:
		return nil
	case s.size > c.SegmentBytes-int64(n):
	case l.waited(s, sp) > c.segmentMs()-s.jitter:
	case int64(s.off.count()) >= full/offsetEntry:
	case int64(s.tim.count()) >= full/timeEntry-1:
	default:
		return nil
	}
	return l.roll(sp.first)
}

// waited is for how long the segment has taken records, in milliseconds: by the
// records' own time, or by the clock if they have none.
func (l *Log) waited(s *segment, sp span) int64 {
	if s.firstTime == noTime {
		l.readFirstTime(s)
	}
	if s.firstTime >= 0 && sp.maxTime >= 0 {
		return sp.maxTime - s.firstTime
	}
	if s.firstTime >= 0 {
		return l.clock.Millis(time.Now()) - s.firstTime
	}
	return 0
}

func (l *Log) readFirstTime(s *segment) {
	h, err := l.acquire(s)
	if err != nil {
		return
	}
	defer h.release()
	_ = batchAt(h, 0, s.size, func(b record.Batch, _ int) {
		s.firstTime = b.BaseTimestamp()
		if b.HasDeleteHorizon() {
			s.firstTime = b.MaxTimestamp()
		}
	})
}
