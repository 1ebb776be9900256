package commitlog

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/odradek/odradek/internal/proto/record"
)

// chunk is how much a scan reads at once: a few dozen small batches, or the header of a
// large one.
const chunk = 16 << 10

// glance is how much it reads where a chunk would be mostly records that nobody looks at.
const glance = 1 << 10

var chunks = sync.Pool{New: func() any { b := make([]byte, chunk); return &b }}

// scanner walks the batches of a file from pos to end. It reads headers in chunks and
// whole batches only where asked to. It trusts nothing that it reads.
type scanner struct {
	f        io.ReaderAt
	pos, end int64

	buf *[]byte
	at  int64 // where in the file buf was read
	n   int   // how much of buf is filled
	// little says that no chunk is worth its copy: the last batch was large, or none was seen.
	little bool
}

func newScanner(f io.ReaderAt, pos, end int64) scanner {
	return scanner{f: f, pos: pos, end: end, buf: chunks.Get().(*[]byte), little: true}
}

// widen makes the scanner read larger chunks.
func (s *scanner) widen(size int) {
	s.close()
	bigger := make([]byte, size)
	s.buf, s.n, s.little = &bigger, 0, false
}

// close gives the buffer back; what the scanner returned is no longer valid.
func (s *scanner) close() {
	if len(*s.buf) == chunk {
		chunks.Put(s.buf)
	}
	s.buf = nil
}

// header views the header of the batch at pos, and tells its size, which fits into the
// file. It returns io.EOF at the end, an error of package record if no whole batch is
// there. The view is valid until the next call.
func (s *scanner) header() (record.Batch, int, error) {
	if s.pos >= s.end {
		return nil, 0, io.EOF
	}
	bytes, err := s.bytes(record.HeaderLen)
	if err != nil {
		return nil, 0, err
	}
	b, size, err := record.SplitHeader(bytes)
	if err != nil {
		return nil, 0, fmt.Errorf("at byte %d: %w", s.pos, err)
	}
	if int64(size) > s.end-s.pos {
		return nil, 0, fmt.Errorf("at byte %d: %d of %d bytes: %w", s.pos, s.end-s.pos, size, record.ErrShort)
	}
	return b, size, nil
}

// batch reads the whole batch at pos; it is not verified.
func (s *scanner) batch() (record.Batch, error) {
	_, size, err := s.header()
	if err != nil {
		return nil, err
	}
	bytes, err := s.bytes(size)
	if err != nil {
		return nil, err
	}
	b, _, err := record.Split(bytes)
	return b, err
}

func (s *scanner) skip(size int) {
	s.pos += int64(size)
	s.little = size > len(*s.buf)/4
}

// bytes returns n bytes from pos on, or what is left of the file.
func (s *scanner) bytes(n int) ([]byte, error) {
	if left := s.end - s.pos; int64(n) > left {
		n = int(left)
	}
	if s.pos < s.at || s.pos+int64(n) > s.at+int64(s.n) {
		if err := s.fill(n); err != nil {
			return nil, err
		}
	}
	from := int(s.pos - s.at)
	return (*s.buf)[from : from+n], nil
}

func (s *scanner) fill(n int) error {
	if n > len(*s.buf) {
		bigger := make([]byte, n)
		s.close()
		s.buf = &bigger
	}
	want := min(int64(len(*s.buf)), s.end-s.pos)
	if s.little {
		want = min(want, int64(max(n, glance)))
	}
	got, err := s.f.ReadAt((*s.buf)[:want], s.pos)
	s.at, s.n = s.pos, got
	if got >= n {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("at byte %d: %d of %d bytes: %w", s.pos, got, n, record.ErrShort)
	}
	return err
}

// notABatch reports whether err is about what the file holds rather than about reading
// it.
func notABatch(err error) bool {
	return errors.Is(err, record.ErrShort) || errors.Is(err, record.ErrCorrupt) || errors.Is(err, record.ErrMagic)
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
