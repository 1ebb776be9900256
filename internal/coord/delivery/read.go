package delivery

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// layout is where record batches lie in a slice of the log.
type layout struct {
	bounds []bounds
	ends   []int // in bytes, beside bounds
	window []byte
}

// windowBytes is how much of the log is read to find batches that follow each other: many
// small ones at once, and of large ones no more than the head.
const windowBytes = 8 << 10

var layouts = sync.Pool{New: func() any { return &layout{window: make([]byte, windowBytes)} }}

// walk finds the batches of a slice from the log up to the one that reaches an offset.
// committed hides those of aborted transactions. Records are not looked at.
func (l *layout) walk(r *partition.ReadResult, until int64, committed bool) error {
	l.bounds, l.ends = l.bounds[:0], l.ends[:0]
	in := window{file: &r.Slice, buf: l.window}
	undone := undone{list: r.Aborted}
	for at := 0; at < r.Len; {
		b, size, err := in.batch(at)
		if err != nil {
			return err
		}
		if size > r.Len-at {
			return fmt.Errorf("%w: a batch of %d bytes in the last %d that were read", kerr.CorruptMessage, size, r.Len-at)
		}
		hidden := b.Control()
		if committed && b.HasProducer() {
			if hidden, err = undone.hides(b, func() (record.Batch, error) { return in.whole(at, size) }); err != nil {
				return err
			}
		}
		at += size
		l.bounds, l.ends = append(l.bounds, bounds{b.BaseOffset(), b.LastOffset(), hidden}), append(l.ends, at)
		if b.LastOffset() >= until {
			break
		}
	}
	return nil
}

// cut shortens a slice to the batches that have [first, last].
func (l *layout) cut(s *commitlog.Slice, first, last int64) {
	from, to := 0, 0
	for i, b := range l.bounds {
		if b.last < first {
			from = l.ends[i]
		}
		if b.base <= last {
			to = l.ends[i]
		}
	}
	s.Pos, s.Len = s.Pos+int64(from), to-from
}

// window is a part of a slice in memory.
type window struct {
	file *commitlog.Slice
	buf  []byte
	at   int // of buf[0] in the slice
	have int
}

// batch returns the head of the batch at a place, and its size.
func (w *window) batch(at int) (record.Batch, int, error) {
	if err := w.hold(at, record.HeaderLen); err != nil {
		return nil, 0, err
	}
	b, size, err := record.SplitHeader(w.buf[at-w.at : w.have])
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", kerr.CorruptMessage, err)
	}
	return b, size, nil
}

// whole returns a batch with its records: a control batch, which is small.
func (w *window) whole(at, size int) (record.Batch, error) {
	if size > len(w.buf) {
		return nil, fmt.Errorf("%w: a control batch of %d bytes", kerr.CorruptMessage, size)
	}
	if err := w.hold(at, size); err != nil {
		return nil, err
	}
	return record.Batch(w.buf[at-w.at:][:size:size]), nil
}

// hold has n bytes from at on in memory.
func (w *window) hold(at, n int) error {
	if w.have > 0 && at >= w.at && at+n <= w.at+w.have {
		return nil
	}
	want := min(len(w.buf), w.file.Len-at)
	if want < n {
		return fmt.Errorf("%w: a batch is cut short", kerr.CorruptMessage)
	}
	got, err := w.file.File.ReadAt(w.buf[:want], w.file.Pos+int64(at))
	if w.at, w.have = at, got; got >= n {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %s: %w", kerr.KafkaStorageError, w.file.File.Name(), err)
}

// undone tells which batches belong to aborted transactions, as a consumer of
// read_committed does.
type undone struct {
	list []partition.Aborted
	now  map[int64]bool // producers in a transaction that was aborted
}

func (u *undone) hides(b record.Batch, whole func() (record.Batch, error)) (bool, error) {
	if len(u.list) == 0 {
		return b.Control(), nil
	}
	if u.now == nil {
		u.now = make(map[int64]bool)
	}
	for i, a := range u.list {
		if a.ProducerID == b.ProducerID() && a.FirstOffset >= 0 && a.FirstOffset <= b.LastOffset() {
			u.now[a.ProducerID], u.list[i].FirstOffset = true, -1 // begun once
		}
	}
	if !b.Control() {
		return b.Transactional() && u.now[b.ProducerID()], nil
	}
	full, err := whole()
	if err != nil {
		return true, err
	}
	m, ok, err := full.EndTxnMarker()
	if err != nil {
		return true, fmt.Errorf("%w: %w", kerr.CorruptMessage, err)
	}
	if ok && !m.Commit {
		delete(u.now, b.ProducerID())
	}
	return true, nil
}
