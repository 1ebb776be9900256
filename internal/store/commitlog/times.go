package commitlog

import (
	"fmt"
	"io"

	"github.com/odradek/odradek/internal/proto/record"
)

// TimestampOffset is where a record of some timestamp is.
type TimestampOffset struct {
	Offset    int64 // -1 if there is no such record
	Timestamp int64 // -1 likewise
	Epoch     int32
}

var noRecord = TimestampOffset{Offset: -1, Timestamp: noTime, Epoch: -1}

// OffsetForTimestamp returns the first record, in order of offsets, whose timestamp is
// at or above ts; none if it is at or beyond limit.
func (l *Log) OffsetForTimestamp(ts, limit int64) (TimestampOffset, error) {
	var found TimestampOffset
	err := l.eachSegment(func(p place, start int64) (bool, error) {
		var err error
		found, err = l.firstSince(p, start, ts)
		return found.Offset >= 0, err
	})
	if err != nil {
		return noRecord, fmt.Errorf("look up timestamp %d in %s: %w", ts, l.name, err)
	}
	if found.Offset < 0 || found.Offset >= limit {
		return noRecord, nil
	}
	return found, nil
}

// eachSegment shows the segments from the oldest on until do is done. It starts again
// when they change meanwhile.
func (l *Log) eachSegment(do func(p place, start int64) (done bool, err error)) error {
	const tries = 8
	var err error
	for range tries {
		var again bool
		if again, err = l.oneRound(do); !again {
			return err
		}
	}
	return storageError(err)
}

func (l *Log) oneRound(do func(p place, start int64) (bool, error)) (again bool, err error) {
	l.mu.Lock()
	start, places := l.start, make([]place, len(l.segs))
	for i := range l.segs {
		places[i] = l.placeOf(i, -1)
	}
	l.mu.Unlock()
	for _, p := range places {
		done, err := do(p, start)
		switch {
		case isGone(err):
			l.writing.Lock()
			l.writing.Unlock()
			return true, err
		case isBadIndex(err):
			if rerr := l.reindex(p.seg); rerr != nil && !isGone(rerr) {
				return false, rerr
			}
			return true, err
		case done || err != nil:
			return false, err
		}
	}
	return false, nil
}

// newest is the greatest timestamp of a segment and the last offset of its batch, with
// the segment as it was then.
func (l *Log) newest(p place) (entry, place, error) {
	if err := l.load(p.seg); err != nil {
		return entry{}, p, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p.size, p.next = p.seg.size, p.seg.next
	return p.seg.maxTime, p, nil
}

func (l *Log) firstSince(p place, start, ts int64) (TimestampOffset, error) {
	newest, p, err := l.newest(p)
	if err != nil || newest.key < ts || p.size == 0 || p.next <= start {
		return noRecord, err
	}
	h, err := l.acquire(p.seg)
	if err != nil {
		return noRecord, err
	}
	defer h.release()
	pos, err := l.since(p, h, start, ts)
	if err != nil {
		return noRecord, err
	}
	found := noRecord
	err = l.eachBatch(p, h, pos, func(sc *scanner, b record.Batch) (bool, error) {
		if b.LastOffset() < start || b.MaxTimestamp() < ts {
			return false, nil
		}
		found, err = recordSince(sc, start, func(t int64) bool { return t >= ts })
		return found.Offset >= 0, err
	})
	return found, err
}

// since is a position before which no record from start on is at or above ts.
func (l *Log) since(p place, h *handle, start, ts int64) (int64, error) {
	i, e, err := l.search(p.seg, &p.seg.tim, timeIndexExt, byKey, ts-1)
	if err != nil {
		return 0, err
	}
	target := start - p.seg.base
	if i >= 0 {
		target = max(target, e.value)
	}
	return l.entryFor(p, h, byKey, target)
}

// eachBatch shows the headers of the batches from pos on until do is done.
func (l *Log) eachBatch(p place, h *handle, pos int64, do func(*scanner, record.Batch) (bool, error)) error {
	sc := newScanner(h, pos, p.size)
	defer func() { sc.close() }()
	for {
		b, size, err := sc.header()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return l.readError(p.seg, err)
		}
		done, err := do(&sc, b)
		if err != nil {
			return l.readError(p.seg, err)
		}
		if done {
			return nil
		}
		sc.skip(size)
	}
}

// recordSince opens the batch at the scanner's place and returns its first record from
// offset start on whose time is wanted.
func recordSince(sc *scanner, start int64, wanted func(int64) bool) (TimestampOffset, error) {
	b, err := sc.batch()
	if err != nil {
		return noRecord, err
	}
	if err := b.Verify(); err != nil {
		return noRecord, err
	}
	var r record.Reader
	err = r.Open(b, record.Limits{})
	defer r.Close()
	for err == nil && r.Next() {
		if v := &r.View; v.Offset >= start && wanted(v.Timestamp) {
			return TimestampOffset{v.Offset, v.Timestamp, b.LeaderEpoch()}, nil
		}
	}
	if err == nil && r.Err() == nil {
		return noRecord, nil
	}
	// Its producer sent it so, with a good checksum: it is known by its head alone.
	if wanted(b.MaxTimestamp()) {
		return TimestampOffset{max(start, b.BaseOffset()), b.MaxTimestamp(), b.LeaderEpoch()}, nil
	}
	return noRecord, nil
}

// MaxTimestamp returns the first record that has the greatest timestamp of all (KIP-734);
// none if the log is empty or its records have no time.
func (l *Log) MaxTimestamp() (TimestampOffset, error) {
	found := noRecord
	err := l.eachSegment(func(p place, start int64) (bool, error) {
		newest, p, err := l.newest(p)
		if err != nil || p.size == 0 || p.next <= start || newest.key <= found.Timestamp {
			return false, err
		}
		t, err := l.maxIn(p, start, newest)
		if err == nil && t.Timestamp > found.Timestamp {
			found = t
		}
		return false, err
	})
	if err != nil {
		return noRecord, fmt.Errorf("look up the greatest timestamp in %s: %w", l.name, err)
	}
	return found, nil
}

// maxIn finds the record of a segment's greatest timestamp by the batch that has it.
func (l *Log) maxIn(p place, start int64, newest entry) (TimestampOffset, error) {
	h, err := l.acquire(p.seg)
	if err != nil {
		return noRecord, err
	}
	defer h.release()
	if newest.value >= start {
		if found, err := l.recordOf(p, h, start, newest); err != nil || found.Offset >= 0 {
			return found, err
		}
	}
	// It lies below the log start: look at what is above.
	newest, edge, err := l.newestFrom(p, h, start)
	if err != nil || newest.key <= edge.Timestamp {
		return edge, err
	}
	return l.recordOf(p, h, start, newest)
}

// recordOf finds the first record of a timestamp in the batch that ends at its value.
func (l *Log) recordOf(p place, h *handle, start int64, newest entry) (TimestampOffset, error) {
	found := noRecord
	pos, err := l.entryFor(p, h, byKey, newest.value-p.seg.base)
	if err != nil {
		return found, err
	}
	err = l.eachBatch(p, h, pos, func(sc *scanner, b record.Batch) (bool, error) {
		if b.LastOffset() < newest.value {
			return false, nil
		}
		var err error
		found, err = recordSince(sc, start, func(t int64) bool { return t == newest.key })
		return true, err
	})
	return found, err
}

// newestFrom is newest for the batches that begin at or above start, with the greatest
// record of the batch that start lies in.
func (l *Log) newestFrom(p place, h *handle, start int64) (newest entry, edge TimestampOffset, err error) {
	newest, edge = entry{noTime, -1}, noRecord
	pos, err := l.entryFor(p, h, byKey, start-p.seg.base)
	if err != nil {
		return newest, edge, err
	}
	err = l.eachBatch(p, h, pos, func(sc *scanner, b record.Batch) (bool, error) {
		switch {
		case b.LastOffset() < start:
		case b.BaseOffset() >= start:
			if b.MaxTimestamp() > newest.key {
				newest = entry{b.MaxTimestamp(), b.LastOffset()}
			}
		default:
			for again := true; again; {
				t, err := recordSince(sc, start, func(t int64) bool { return t > edge.Timestamp })
				if err != nil {
					return false, err
				}
				if again = t.Timestamp > edge.Timestamp; again {
					edge = t
				}
			}
		}
		return false, nil
	})
	return newest, edge, err
}
