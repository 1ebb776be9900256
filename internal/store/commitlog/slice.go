package commitlog

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Slice is whole batches in a segment's file: Len bytes from Pos on. File stays open,
// even if the segment is deleted, until Release. It is nil if Len is 0.
type Slice struct {
	File vfs.File
	Pos  int64
	Len  int
	Base int64 // where reading began; the first batch may begin earlier
	Next int64 // where to go on

	handle *handle
	log    *Log
	seg    *segment
}

// Gone reports whether the segment was compacted or deleted since.
func (s *Slice) Gone() bool {
	if s.log == nil {
		return false
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.seg.gone
}

// Release ends the use of File. Only the first call counts.
func (s *Slice) Release() {
	if s.handle != nil {
		s.handle.release()
		s.handle, s.File = nil, nil
	}
}

// ReadAll appends the bytes to buf. They are not verified.
func (s *Slice) ReadAll(buf []byte) ([]byte, error) {
	if s.Len == 0 {
		return buf, nil
	}
	at := len(buf)
	if need := at + s.Len; need > cap(buf) {
		buf = append(make([]byte, 0, need), buf...)
	}
	buf = buf[:at+s.Len]
	n, err := s.File.ReadAt(buf[at:], s.Pos)
	if n < s.Len {
		if err == nil || errors.Is(err, io.EOF) {
			err = fmt.Errorf("%s at %d: %d of %d bytes: %w", s.File.Name(), s.Pos, n, s.Len, io.ErrUnexpectedEOF)
		}
		return buf[:at], storageError(err)
	}
	return buf, nil
}

// Batches walks over batches in memory, with their checksums verified. The last step
// may be an error that wraps kerr.CorruptMessage.
func Batches(bytes []byte) iter.Seq2[record.Batch, error] {
	return func(yield func(record.Batch, error) bool) {
		for len(bytes) > 0 {
			b, rest, err := record.Split(bytes)
			if err == nil {
				err = b.Verify()
			}
			if err != nil {
				yield(nil, fmt.Errorf("%w: %w", kerr.CorruptMessage, err))
				return
			}
			if !yield(b, nil) {
				return
			}
			bytes = rest
		}
	}
}
