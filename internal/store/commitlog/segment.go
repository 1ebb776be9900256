package commitlog

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// segment is one .log file with its indexes. Its invariants:
//
//	base ≤ offset of every batch < next ≤ base of the segment after it
//	size is the end of a batch
//
// The lock writing is held by whoever changes it; what readers look at is also
// guarded by mu.
type segment struct {
	base int64
	log  file
	off  index
	tim  index
	txn  index

	size  int64 // guarded by mu: bytes of whole batches
	next  int64 // guarded by mu: the offset after the last batch; of an older segment the next one's base
	gone  bool  // guarded by mu: no longer part of the log; its names may be another's
	known bool  // guarded by mu: indexes and maxTime are loaded

	unsynced bool // guarded by mu: it is finished and its indexes are not durable
	txnFile  bool // guarded by mu: there is a file of txn
	txnStale bool // which may have entries that are void

	sinceEntry int64 // bytes since the last index entry
	firstTime  int64 // timestamp of the first batch, for segment.ms; noTime if not read
	maxTime    entry // the greatest timestamp and the last offset of its batch; guarded by mu
	jitter     int64 // milliseconds by which segment.ms is shortened
}

const noTime = record.NoTimestamp

func newSegment(base int64) *segment {
	return &segment{
		base: base, next: base,
		off: index{entry: offsetEntry, lastKey: -1}, tim: index{entry: timeEntry, lastKey: -1},
		txn:       index{entry: txnEntry, lastKey: -1, summed: true},
		firstTime: noTime, maxTime: entry{noTime, base - 1},
	}
}

var (
	// errGone tells a reader that the segment was replaced meanwhile: look again.
	errGone = errors.New("segment is gone")
	// errIndex tells that an index entry leads nowhere: the index is made anew.
	errIndex = errors.New("index does not fit its segment")
	// errSum tells that an index is not what it was.
	errSum = fmt.Errorf("%w: an entry has changed", errIndex)
)

func isGone(err error) bool     { return errors.Is(err, errGone) }
func isBadIndex(err error) bool { return errors.Is(err, errIndex) }

// acquire opens the segment's log for a reader or writer, who must release it.
func (l *Log) acquire(s *segment) (*handle, error) {
	h, err := s.log.acquire(l.ref(s.base, logExt))
	l.mu.Lock()
	gone := s.gone
	l.mu.Unlock()
	switch {
	case gone:
		if err == nil {
			h.release()
		}
		return nil, errGone
	case err != nil:
		return nil, storageError(err)
	}
	return h, nil
}

// storageError marks what the disk did with the error that clients are told.
func storageError(err error) error {
	if err == nil || errors.Is(err, kerr.KafkaStorageError) {
		return err
	}
	return fmt.Errorf("%w: %w", kerr.KafkaStorageError, err)
}

// corrupt says where in the log something is not what was written.
func (l *Log) corrupt(s *segment, err error) error {
	return fmt.Errorf("%s: %w: %w", l.path(s.base, logExt), kerr.CorruptMessage, err)
}

// createSegment makes the file of a new segment. The name is durable after the next
// Sync.
func (l *Log) createSegment(base int64) (*segment, error) {
	s := newSegment(base)
	s.known = true
	s.jitter = l.drawJitter()
	if err := s.log.openFile(l.ref(base, logExt), os.O_RDWR|os.O_CREATE|os.O_EXCL); err != nil {
		return nil, storageError(err)
	}
	return s, nil
}

func (l *Log) drawJitter() int64 {
	c := l.config()
	if limit := min(c.SegmentJitterMs, c.SegmentMs); limit > 0 && l.rand != nil {
		return int64(l.rand() % uint64(limit))
	}
	return 0
}

// note updates what the indexes know with a batch at pos. mu is held unless the segment
// is not yet shared.
func (s *segment) note(b record.Batch, size int, pos, interval int64) {
	last := b.LastOffset()
	if ts := b.MaxTimestamp(); ts > s.maxTime.key {
		s.maxTime = entry{ts, last}
	}
	if s.sinceEntry > interval {
		s.off.add(entry{last - s.base, pos})
		s.noteTime()
		s.sinceEntry = 0
	}
	s.sinceEntry += int64(size)
}

// noteTime adds an entry to the time index if time has grown.
func (s *segment) noteTime() {
	if s.maxTime.key > s.tim.lastKey {
		s.tim.add(entry{s.maxTime.key, s.maxTime.value - s.base})
	}
}

// batchAt reads the header of the batch at pos.
func batchAt(r io.ReaderAt, pos, end int64, do func(record.Batch, int)) error {
	s := newScanner(r, pos, end)
	defer s.close()
	b, size, err := s.header()
	if err == nil {
		do(b, size)
	}
	return err
}
