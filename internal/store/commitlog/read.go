package commitlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Read returns whole batches from the one that holds offset from, in [Start, End]; if
// compaction took that offset, from the next one there is. It stops before limit
// (exclusive), before maxBytes are exceeded and at the end of a segment, but if minOne
// is set it returns at least one batch however large, so that a consumer cannot get
// stuck (KIP-74). The Slice must be released.
// It returns kerr.OffsetOutOfRange if from is outside [Start, End], and wraps
// kerr.CorruptMessage or kerr.KafkaStorageError if the log cannot be read there.
func (l *Log) Read(from, limit int64, maxBytes int, minOne bool) (Slice, error) {
	const tries = 8
	var err error
	for range tries {
		var s Slice
		var seg *segment
		s, seg, err = l.read(from, limit, maxBytes, minOne)
		switch {
		case err == nil:
			return s, nil
		case errors.Is(err, errGone):
			// Somebody is replacing the segment: wait for that.
			l.writing.Lock()
			l.writing.Unlock()
		case errors.Is(err, errIndex):
			if rerr := l.reindex(seg); rerr != nil && !errors.Is(rerr, errGone) {
				return Slice{}, rerr
			}
		default:
			return Slice{}, err
		}
	}
	return Slice{}, fmt.Errorf("read %s at %d: %w", l.name, from, storageError(err))
}

// place is a segment as a reader found it.
type place struct {
	seg   *segment
	size  int64
	next  int64 // no batch at or beyond this offset is in [0, size)
	pos   int64 // where to look, -1 if not known
	older bool  // there is a segment after it
}

// at finds the segment of an offset. It returns kerr.OffsetOutOfRange, and ok false if
// nothing can be read there yet. all has it find what is known to be rotten, too.
func (l *Log) at(from, limit int64, all bool) (p place, end int64, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from < l.start || from > l.end {
		return p, 0, false, kerr.OffsetOutOfRange
	}
	limit = min(limit, l.end)
	if from >= limit {
		return p, limit, false, nil
	}
	if len(l.rotten) > 0 && !all {
		if limit, err = l.sound(from, limit); err != nil {
			return p, 0, false, err
		}
	}
	return l.placeOf(holding(l.segs, from), from), limit, true, nil
}

// placeOf views segment number i. mu is held.
func (l *Log) placeOf(i int, from int64) place {
	s := l.segs[i]
	p := place{seg: s, size: s.size, next: s.next, pos: -1, older: i+1 < len(l.segs)}
	if pos, ok := l.hinted(s, from); ok {
		p.pos = pos
	}
	return p
}

func (l *Log) read(from, limit int64, maxBytes int, minOne bool) (Slice, *segment, error) {
	none := Slice{Base: from, Next: from}
	p, limit, ok, err := l.at(from, limit, false)
	if err != nil || !ok {
		return none, nil, err
	}
	for {
		s, found, err := l.readIn(p, from, limit, maxBytes, minOne)
		if err != nil || found {
			return s, p.seg, err
		}
		// Compaction left nothing from here to the segment's end: go on in the next.
		if seg, err := l.notBefore(p, from); err != nil {
			return none, seg, err
		}
		if !p.older || p.next >= limit {
			none.Next = limit
			return none, nil, nil
		}
		from = max(from, p.next)
		if p, _, ok, err = l.at(from, limit, false); err != nil || !ok {
			return none, nil, err
		}
	}
}

// notBefore reports corruption if the segment before p's, in which nothing is from an offset
// on, has that offset: p's file is not of this log, and its reader would wait for ever. An error comes with the
// segment that it is about.
func (l *Log) notBefore(p place, from int64) (*segment, error) {
	l.mu.Lock()
	i := holding(l.segs, p.seg.base) - 1
	if i < 0 || l.segs[i+1] != p.seg {
		l.mu.Unlock()
		return nil, nil // the first, or it was replaced meanwhile
	}
	before := l.placeOf(i, from)
	l.mu.Unlock()
	h, err := l.acquire(before.seg)
	if err != nil {
		return before.seg, err
	}
	defer h.release()
	pos, err := l.locate(before, h, from)
	if err == nil && pos < before.size {
		err = l.corrupt(before.seg, fmt.Errorf("the batch at byte %d reaches into the segment of %d", pos, p.seg.base))
	}
	return before.seg, err
}

// readIn reads in one segment; found is false if it holds nothing from that offset on.
func (l *Log) readIn(p place, from, limit int64, maxBytes int, minOne bool) (s Slice, found bool, err error) {
	h, err := l.acquire(p.seg)
	if err != nil {
		return s, false, err
	}
	s = Slice{File: h.File, Base: from, Next: from, handle: h, log: l, seg: p.seg}
	defer func() {
		if err != nil || !found || s.Len == 0 {
			s.Release()
		}
	}()
	pos := p.pos
	if pos < 0 {
		if pos, err = l.locate(p, h, from); err != nil || pos == p.size {
			return s, false, err
		}
	}
	if limit >= p.next && p.size-pos <= int64(maxBytes) {
		s.Pos, s.Len, s.Next = pos, int(p.size-pos), p.next
	} else {
		end, next, err := l.stretch(p, h, pos, limit, maxBytes, minOne)
		if err != nil {
			return s, false, err
		}
		s.Pos, s.Len, s.Next = pos, int(end-pos), max(next, from)
	}
	if s.Len > 0 {
		l.mu.Lock()
		if !p.seg.gone && s.Next < p.next {
			l.addHint(p.seg, s.Next, s.Pos+int64(s.Len))
		}
		l.mu.Unlock()
	}
	return s, true, nil
}

// locate returns the position of the first batch that ends at or after offset from,
// the size if there is none.
func (l *Log) locate(p place, h *handle, from int64) (int64, error) {
	start, err := l.entryFor(p, h, byKey, from-p.seg.base)
	if err != nil {
		return 0, err
	}
	sc := newScanner(h, start, p.size)
	defer sc.close()
	for {
		b, size, err := sc.header()
		switch {
		case err == io.EOF:
			return p.size, nil
		case err != nil:
			return 0, l.readError(p.seg, err)
		case b.BaseOffset() < p.seg.base:
			// No checksum covers an offset: taken for old, it would have its reader wait for ever.
			return 0, l.corrupt(p.seg, fmt.Errorf("batch [%d, %d) at byte %d", b.BaseOffset(), b.NextOffset(), sc.pos))
		case b.LastOffset() >= from:
			return sc.pos, nil
		}
		sc.skip(size)
	}
}

// entryFor returns the position that the last index entry not above target leads to, 0
// if there is none.
func (l *Log) entryFor(p place, h *handle, of by, target int64) (int64, error) {
	if err := l.load(p.seg); err != nil {
		return 0, err
	}
	i, e, err := l.search(p.seg, &p.seg.off, indexExt, of, target)
	if err != nil || i < 0 {
		return 0, err
	}
	if !leadsTo(h, p.seg.base, p.size, e) {
		return 0, errIndex
	}
	return e.value, nil
}

// search is index.search for readers, beside whom the segment may be replaced.
func (l *Log) search(s *segment, x *index, ext string, of by, target int64) (int, entry, error) {
	i, e, err := x.search(l.ref(s.base, ext), of, target)
	l.mu.Lock()
	gone := s.gone
	l.mu.Unlock()
	switch {
	case gone:
		err = errGone
	case errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist):
		err = errIndex // the file is shorter than it was
	case isBadIndex(err):
	case err != nil:
		err = storageError(err)
	}
	return i, e, err
}

// stretch returns where whole batches from pos on end, within limit and maxBytes, and
// the offset to go on at.
func (l *Log) stretch(p place, h *handle, pos, limit int64, maxBytes int, minOne bool) (end, next int64, err error) {
	sc := newScanner(h, pos, p.size)
	defer func() { sc.close() }()
	first := true
	for {
		if next >= limit {
			return sc.pos, next, nil
		}
		b, size, err := sc.header()
		if err == io.EOF {
			return sc.pos, p.next, nil
		}
		if err != nil {
			return 0, 0, l.readError(p.seg, err)
		}
		if b.BaseOffset() < next || b.NextOffset() > p.next {
			return 0, 0, l.corrupt(p.seg, fmt.Errorf("batch [%d, %d) at byte %d", b.BaseOffset(), b.NextOffset(), sc.pos))
		}
		fits := sc.pos+int64(size)-pos <= int64(maxBytes) || first && minOne
		if b.NextOffset() > limit || !fits {
			return sc.pos, b.BaseOffset(), nil
		}
		sc.skip(size)
		next = b.NextOffset()
		if !first {
			continue
		}
		first = false
		if err := l.leap(p, h, &sc, pos+int64(maxBytes), limit); err != nil {
			return 0, 0, err
		}
	}
}

// leap moves the scan ahead to the last index entry that is surely within bounds.
func (l *Log) leap(p place, h *handle, sc *scanner, endPos, limit int64) error {
	if endPos-sc.pos < 4*l.config().IndexIntervalBytes {
		return nil
	}
	byPos, err := l.entryFor(p, h, byValue, min(endPos, p.size-1))
	if err != nil {
		return err
	}
	if limit < p.next {
		byOffset, err := l.entryFor(p, h, byKey, limit-1-p.seg.base)
		if err != nil {
			return err
		}
		byPos = min(byPos, byOffset)
	}
	sc.pos = max(sc.pos, byPos)
	return nil
}

// readError tells corruption from trouble with the disk.
func (l *Log) readError(s *segment, err error) error {
	if notABatch(err) {
		return l.corrupt(s, err)
	}
	return storageError(err)
}

// leadsTo reports whether an index entry fits the batch that it leads to. A bit that turned in the
// index may have it lead anywhere.
func leadsTo(h *handle, base, size int64, e entry) bool {
	if e.value < 0 || e.value >= size {
		return false
	}
	fits := false
	err := batchAt(h, e.value, size, func(b record.Batch, _ int) { fits = b.LastOffset() == base+e.key })
	return err == nil && fits
}
