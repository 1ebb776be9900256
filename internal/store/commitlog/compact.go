package commitlog

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/compaction"
)

var _ = failpoint.Register("commitlog.compact.before_swap")

// Compacted is what a compaction did.
type Compacted struct {
	Ran           bool
	From, End     int64 // the dirty range that was taken in
	Before, After int64 // bytes of the segments that were rewritten
}

// dirtRange is what is to be compacted.
type dirtRange struct {
	from, until int64 // first dirty offset, first that may not be compacted
	dirty       int64 // bytes of the segments between
	ratio       float64
	overdue     bool // max.compaction.lag.ms has passed
}

// Dirt tells how much of the log waits to be compacted below limit (the high watermark
// or last stable offset): its part of the bytes, and whether it may wait no longer. The
// host compacts the dirtiest log first.
func (l *Log) Dirt(limit int64, now time.Time) (ratio float64, due bool, err error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil || !l.config().Compact {
		return 0, false, err
	}
	d, err := l.dirt(limit, l.clock.Millis(now))
	return d.ratio, l.due(d), err
}

func (l *Log) due(d dirtRange) bool {
	return d.dirty > 0 && (d.overdue || d.ratio > l.config().MinCleanableRatio)
}

// dirt measures. The lock writing is held.
func (l *Log) dirt(limit, nowMillis int64) (d dirtRange, err error) {
	c := l.config()
	d.from = l.firstDirty
	if d.from < l.start || d.from > l.end {
		d.from = l.start
	}
	d.until = min(limit, l.active().base)
	oldest := int64(1<<63 - 1)
	clean := int64(0)
	for _, s := range l.segs {
		if s.next <= d.from {
			clean += s.size
			continue
		}
		if s.next > d.until {
			// Only whole segments are compacted.
			d.until = min(d.until, max(s.base, d.from))
			break
		}
		newest, err := l.newestIn(s)
		if err != nil {
			return d, err
		}
		if c.MinCompactionLagMs > 0 && newest > nowMillis-c.MinCompactionLagMs {
			d.until = min(d.until, max(s.base, d.from))
			break
		}
		if s.firstTime == noTime && s.size > 0 {
			l.readFirstTime(s)
		}
		if s.firstTime > 0 {
			oldest = min(oldest, s.firstTime)
		}
		d.dirty += s.size
	}
	if total := clean + d.dirty; total > 0 {
		d.ratio = float64(d.dirty) / float64(total)
	}
	lag := max(c.MaxCompactionLagMs, c.MinCompactionLagMs)
	d.overdue = oldest < 1<<63-1 && lag < nowMillis && oldest < nowMillis-lag
	return d, nil
}

// Compact keeps, of the records below limit that are not in the active segment, only the
// last of each key, if the log is dirty enough. limit is the high watermark or, with
// transactions, the last stable offset. It runs beside appends and reads, and stops
// without harm if segments are deleted or truncated meanwhile.
func (l *Log) Compact(limit int64, now time.Time) (Compacted, error) {
	l.compacting.Lock()
	defer l.compacting.Unlock()
	run, err := l.planCompaction(limit, now)
	if err != nil || run == nil {
		return Compacted{}, err
	}
	// A crash takes gaps for losses above the recovery point.
	if _, err := l.Sync(); err != nil {
		return Compacted{}, err
	}
	done, err := run.do()
	if isGone(err) {
		return done, nil
	}
	if err != nil {
		return done, fmt.Errorf("compact %s: %w", l.name, err)
	}
	return done, nil
}

// compactionRun is one compaction of a log.
type compactionRun struct {
	log    *Log
	dirt   dirtRange
	segs   []*segment // all below until
	filter compaction.Filter
	out    []byte
	kept   []byte // entries for the transaction index of the segment that is written
	last   int64  // the marker of the last of them
	done   Compacted
}

// planCompaction decides whether there is enough to do, and takes down what the run must
// know of the log as it is now.
func (l *Log) planCompaction(limit int64, now time.Time) (*compactionRun, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil || !l.config().Compact {
		return nil, err
	}
	d, err := l.dirt(min(limit, l.end), l.clock.Millis(now))
	if err != nil || !l.due(d) {
		return nil, err
	}
	if err := l.loadProducers(); err != nil {
		return nil, err
	}
	run := &compactionRun{log: l, dirt: d}
	run.filter = compaction.Filter{
		Now: l.clock.Millis(now), DeleteRetentionMs: l.config().DeleteRetentionMs,
		LastOffset: l.lastOffsets(),
	}
	for _, s := range l.segs {
		if s.next > d.until {
			break
		}
		run.segs = append(run.segs, s)
	}
	return run, nil
}

// lastOffsets copies what compaction asks about producers.
func (l *Log) lastOffsets() func(int64) (int64, int16, bool) {
	type last struct {
		offset int64
		epoch  int16
	}
	known := map[int64]last{}
	for _, e := range l.producers.Entries() {
		known[e.ProducerID] = last{e.LastOffset, e.Epoch}
	}
	return func(id int64) (int64, int16, bool) {
		p, ok := known[id]
		return p.offset, p.epoch, ok
	}
}

func (r *compactionRun) do() (Compacted, error) {
	if err := r.fillMap(); err != nil {
		return r.done, err
	}
	end := r.filter.Map.Latest() + 1
	if end <= r.dirt.from {
		return r.done, errors.New("the map has no room for the keys of one batch: CompactionMapBytes is too small")
	}
	r.filter.End = end
	for segs := r.segs; len(segs) > 0 && segs[0].base < end; {
		n := r.group(segs, end)
		if err := r.rewrite(segs[:n]); err != nil {
			return r.done, err
		}
		segs = segs[n:]
	}
	r.done.Ran, r.done.From, r.done.End = true, r.dirt.from, end
	r.log.compactedTo(end)
	return r.done, nil
}

// fillMap reads which transactions were aborted, with those whose markers lie beyond what
// is compacted, and learns the last offset of each key from the dirty segments, until the
// map is full.
func (r *compactionRun) fillMap() error {
	r.filter.Map = compaction.NewOffsetMap(r.log.config().CompactionMapBytes, r.dirt.until-r.dirt.from)
	aborted, err := r.log.AbortedIn(r.segs[0].base, r.dirt.until)
	if err != nil {
		return err
	}
	r.filter.Txns.Add(aborted...)
	r.filter.Txns.Kept = func(t AbortedTxn) { r.kept, r.last = appendAborted(r.kept, t), t.Last }
	var txns compaction.Txns
	for _, s := range r.segs {
		if s.next > r.dirt.from {
			// Of those that end before, no marker will be seen.
			txns.Add(slices.DeleteFunc(aborted, func(t AbortedTxn) bool { return t.Last < s.base })...)
			break
		}
	}
	for _, s := range r.segs {
		if s.next <= r.dirt.from {
			continue
		}
		full := false
		err := r.log.eachWhole(s, func(b record.Batch) (stop bool, err error) {
			full, err = r.filter.Map.Add(b, &txns, r.dirt.from)
			return full, err
		})
		if err != nil || full {
			return err
		}
		r.filter.Map.SetLatest(s.next - 1)
	}
	return nil
}

// eachWhole shows the batches of a finished segment until do stops or fails.
func (l *Log) eachWhole(s *segment, do func(record.Batch) (stop bool, err error)) error {
	if s.size == 0 {
		return nil
	}
	h, err := l.acquire(s)
	if err != nil {
		return err
	}
	defer h.release()
	sc := newScanner(h, 0, s.size)
	defer func() { sc.close() }()
	sc.widen(copyBuffer)
	for {
		b, err := sc.batch()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return l.readError(s, err)
		}
		size := len(b)
		stop, err := do(b)
		if stop || err != nil {
			return l.readError(s, err)
		}
		sc.skip(size)
	}
}

const copyBuffer = 1 << 20

// group counts how many segments from the first on fit into one.
func (r *compactionRun) group(segs []*segment, end int64) int {
	c := r.log.config()
	size, entries := segs[0].size, segs[0].off.count()
	n := 1
	for ; n < len(segs); n++ {
		s := segs[n]
		size += s.size
		entries += s.off.count() + 1
		if s.base >= end || size > c.SegmentBytes || int64(entries) > c.SegmentIndexBytes/timeEntry ||
			s.next-1-segs[0].base > maxRelative {
			break
		}
	}
	return n
}

// compactedTo has the next compaction begin at offset, unless the log was cut below it since.
func (l *Log) compactedTo(offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.firstDirty = min(offset, l.end)
}

// FirstDirty is where the next compaction begins; the host keeps it in
// cleaner-offset-checkpoint. It is never above the end: what is appended after the log was
// cut, or came back short, was not compacted.
func (l *Log) FirstDirty() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.firstDirty
}
