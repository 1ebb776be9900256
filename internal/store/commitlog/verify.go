package commitlog

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Rot is a place in the log where something else stands than was written.
type Rot struct {
	File string
	Pos  int64 // in the file
	// Offset is where the last batch before it ends: the log is whole below. Next is where
	// what cannot be trusted ends: at the next batch or, where that cannot be found, at the
	// end of the segment.
	Offset, Next int64
	Err          error
}

// verifyChunk is how much Verify reads at once, at least, and how often it paces itself.
const verifyChunk = 256 << 10

// Verify reads the segment that holds offset from, compares every batch with its checksum
// and returns where the next segment begins, or the log end after the last. What is rotten
// is not served by Read from then on. It holds no lock while it reads. pace is called with
// the bytes that were read since, and may wait; its error ends the reading.
func (l *Log) Verify(from int64, pace func(n int) error) (next int64, found []Rot, err error) {
	const tries = 8
	for range tries {
		p, end, ok, err := l.at(max(from, l.Start()), math.MaxInt64, true)
		if errors.Is(err, kerr.OffsetOutOfRange) || err == nil && !ok {
			return max(from, end, l.End()), nil, nil
		}
		if next, found, err = l.verify(p, pace); !errors.Is(err, errGone) {
			return next, found, err
		}
		l.awaitWriter()
	}
	return from, nil, nil // it is busy: another time
}

// awaitWriter waits for who replaces a segment.
func (l *Log) awaitWriter() {
	l.writing.Lock()
	defer l.writing.Unlock()
}

func (l *Log) verify(p place, pace func(n int) error) (next int64, found []Rot, err error) {
	h, err := l.acquire(p.seg)
	if err != nil {
		return 0, nil, err
	}
	defer h.release()
	w := walk{scanner: newScanner(h, 0, p.size), next: p.seg.base, before: p.seg.base, limit: p.next, epoch: -1, latest: l.LatestEpoch()}
	defer w.close()
	w.widen(verifyChunk)
	var read int64
	for {
		pos := w.pos
		r, err := w.step()
		switch {
		case errors.Is(err, io.EOF):
			return max(p.next, w.next), found, pace(int(w.pos - read))
		case err != nil && !notABatch(err):
			return 0, found, storageError(err)
		case err != nil:
			r.File, r.Pos, r.Err = l.path(p.seg.base, logExt), pos, err
			if err := l.confirm(p.seg, h, w, pos); err != nil {
				return 0, found, err
			}
			l.condemn(r)
			found = append(found, r)
		}
		if n := w.pos - read; n >= verifyChunk {
			read = w.pos
			if err := pace(int(n)); err != nil {
				return 0, found, err
			}
		}
	}
}

// walk is a scan that expects what a segment promises.
type walk struct {
	scanner
	next, before int64 // where the last batch ended, and the one before it
	limit        int64 // no batch ends beyond
	epoch        int32 // no batch is of an earlier one
	latest       int32 // that the log knows
}

// step goes to the next batch. With an error of package record it tells what cannot be
// trusted, and goes on behind that.
func (w *walk) step() (r Rot, err error) {
	r.Offset, r.Next = w.next, w.limit
	b, size, err := w.header()
	if err == nil {
		switch last := b.LastOffset(); {
		case b.BaseOffset() < w.next:
			// The offset is not in the checksum: which of the two is wrong is not known.
			r.Offset = w.before
			err = fmt.Errorf("offset %d after %d: %w", b.BaseOffset(), w.next-1, record.ErrCorrupt)
		case b.LeaderEpoch() >= 0 && b.LeaderEpoch() < w.epoch:
			r.Offset = w.before // nor is the epoch
			err = fmt.Errorf("epoch %d after %d: %w", b.LeaderEpoch(), w.epoch, record.ErrCorrupt)
		case last < b.BaseOffset() || last >= w.limit:
			err = fmt.Errorf("offsets %d to %d before %d: %w", b.BaseOffset(), last, w.limit, record.ErrCorrupt)
		}
	}
	if err != nil {
		if notABatch(err) {
			w.pos = w.end // where the next batch begins is not known
		}
		return r, err
	}
	epoch := b.LeaderEpoch()
	never := epoch < model.NoEpoch || epoch > w.latest
	if w.before, w.next = w.next, b.NextOffset(); !never {
		w.epoch = max(w.epoch, epoch)
	}
	r.Next = w.next
	if b, err = w.batch(); err == nil {
		err = b.Verify()
	}
	if err == nil && never {
		err = fmt.Errorf("epoch %d, of up to %d: %w", epoch, w.latest, record.ErrCorrupt)
	}
	w.skip(size)
	return r, err
}

// confirm looks again at what seemed to be rotten at pos, while nobody truncates or
// replaces anything. It returns errGone if it was only in somebody's hands.
func (l *Log) confirm(s *segment, h *handle, was walk, pos int64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if s.gone || !slices.Contains(l.segs, s) || pos >= s.size || l.usable() != nil {
		return errGone
	}
	again := walk{scanner: newScanner(h, 0, s.size), next: s.base, before: s.base, limit: s.next, epoch: -1, latest: l.LatestEpoch()}
	defer again.close()
	for again.pos <= pos {
		at := again.pos
		_, err := again.step()
		switch {
		case at == pos && err != nil && notABatch(err):
			return nil
		case errors.Is(err, io.EOF) || err == nil && at == pos:
			return errGone
		case err != nil && !notABatch(err):
			return storageError(err)
		}
	}
	return errGone
}

// condemn has nothing read that is rotten.
func (l *Log) condemn(r Rot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(l.rotten), func(o Rot) bool { return o.Next <= l.start || o.Offset == r.Offset })
	i, _ := slices.BinarySearchFunc(list, r.Offset, func(o Rot, at int64) int { return int(min(1, max(-1, o.Offset-at))) })
	l.rotten = slices.Insert(list, i, r)
}

// rotOfEpoch is a batch that is whole but for its epoch, which never was.
func (l *Log) rotOfEpoch(s *segment, b record.Batch, pos int64) Rot {
	r := Rot{
		File: l.path(s.base, logExt), Pos: pos, Offset: b.BaseOffset(), Next: b.NextOffset(),
		Err: fmt.Errorf("epoch %d, which it cannot be of: %w", b.LeaderEpoch(), record.ErrCorrupt),
	}
	l.logger.Error("the disk has changed the leader epoch of a batch", "partition", l.name, "file", r.File,
		"position", pos, "offset", r.Offset, "upto", r.Next, "err", r.Err)
	return r
}

// Condemned are the places in the log that are known to be rotten, in order.
func (l *Log) Condemned() []Rot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rotten
}

// condemned reports whether the batch at an offset is rotten. mu is held.
func (l *Log) condemned(offset int64) bool {
	return slices.ContainsFunc(l.rotten, func(r Rot) bool { return r.Offset <= offset && offset < r.Next })
}

// pardon forgets what was rotten beyond the log's new end. mu is held.
func (l *Log) pardon() {
	l.rotten = slices.DeleteFunc(slices.Clone(l.rotten), func(o Rot) bool { return o.Offset >= l.end })
}

// sound is how far may be read from an offset on, up to limit. mu is held.
func (l *Log) sound(from, limit int64) (int64, error) {
	for _, r := range l.rotten {
		switch {
		case r.Next <= from:
		case r.Offset <= from:
			return from, fmt.Errorf("%s at byte %d: %w: %w", r.File, r.Pos, kerr.CorruptMessage, r.Err)
		default:
			return min(limit, r.Offset), nil
		}
	}
	return limit, nil
}
