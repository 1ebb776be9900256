package record

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

var gzipReaders sync.Pool

// gzipWriters has a pool a level; 0 is the default's.
var gzipWriters [gzip.BestCompression + 1]sync.Pool

type gzipReader struct {
	src bytes.Reader
	gz  gzip.Reader
}

func gunzip(dst, src []byte, most int) ([]byte, error) {
	r, _ := gzipReaders.Get().(*gzipReader)
	if r == nil {
		r = new(gzipReader)
	}
	r.src.Reset(src)
	defer func() {
		r.src.Reset(nil)
		gzipReaders.Put(r)
	}()
	if err := r.gz.Reset(&r.src); err != nil {
		return dst, err
	}
	return readAll(dst, &r.gz, len(src), most)
}

// readAll appends what r gives to dst, doubling the buffer as bytes arrive.
func readAll(dst []byte, r io.Reader, hint, most int) ([]byte, error) {
	out, start := room(dst, min(most, 2*hint)+1), len(dst)
	for {
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case len(out)-start > most:
			return dst, ErrTooLarge
		case err == io.EOF:
			return out, nil
		case err != nil:
			return dst, err
		case len(out) == cap(out):
			out = room(out, len(out)-start+512)
		}
	}
}

func gzipped(dst []byte, level int, src []byte) ([]byte, error) {
	level = min(max(level, 0), gzip.BestCompression)
	w, _ := gzipWriters[level].Get().(*gzip.Writer)
	if w == nil {
		real := level
		if level == DefaultLevel {
			real = gzip.DefaultCompression
		}
		var err error
		if w, err = gzip.NewWriterLevel(nil, real); err != nil {
			return dst, err
		}
	}
	out := appender{dst}
	w.Reset(&out)
	if _, err := w.Write(src); err != nil {
		return dst, err
	}
	if err := w.Close(); err != nil {
		return dst, err
	}
	w.Reset(nil)
	gzipWriters[level].Put(w)
	return out.b, nil
}
