package record

import (
	"errors"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstdDecoder serves everybody, as many at once as there are processors. It is made
// before main because it keeps a channel: one made inside a synctest bubble could not
// be used outside. It may write only into the capacity that it is given.
var zstdDecoder = must(zstd.NewReader(nil,
	zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)),
	zstd.WithDecoderLowmem(true),
	zstd.WithDecodeAllCapLimit(true),
	zstd.WithDecoderMaxWindow(1<<31),
))

const zstdGrowth = 4

func must[T any](v T, err error) T {
	if err != nil {
		panic("bug: " + err.Error())
	}
	return v
}

// unzstd tries with room for eight times the input, which nearly all records fit in,
// and again with four times the room as long as that was too little; so a frame that
// claims much or repeats one byte costs what it makes, and a third more work.
func unzstd(dst, src []byte, most int) ([]byte, error) {
	for n := min(8*len(src)+512, most); ; n = min(zstdGrowth*n, most) {
		// Capacity that dst has anyway is used, but never beyond the limit.
		out := room(dst, n)
		if spare := cap(out) - len(dst); spare > n {
			n = min(spare, most)
		}
		got, err := zstdDecoder.DecodeAll(src, out[:len(dst):len(dst)+n])
		if err == nil {
			return got, nil
		}
		if !errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			return dst, err
		}
		if n >= most {
			return dst, ErrTooLarge
		}
	}
}

// zstdWriters has a pool for each of the four encoders that Kafka's levels map to.
// Encoders are used as streams with one worker: that way they start no goroutine and
// share no channel.
var zstdWriters [zstd.SpeedBestCompression + 1]sync.Pool

func zstded(dst []byte, level int, src []byte) ([]byte, error) {
	speed := zstd.SpeedDefault
	if level != DefaultLevel {
		speed = zstd.EncoderLevelFromZstd(level)
	}
	w, _ := zstdWriters[speed].Get().(*zstd.Encoder)
	if w == nil {
		var err error
		w, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(speed), zstd.WithEncoderConcurrency(1),
			zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20), zstd.WithZeroFrames(true))
		if err != nil {
			return dst, err
		}
	}
	out := appender{dst}
	w.ResetContentSize(&out, int64(len(src)))
	if _, err := w.Write(src); err != nil {
		return dst, err
	}
	if err := w.Close(); err != nil {
		return dst, err
	}
	w.Reset(nil)
	zstdWriters[speed].Put(w)
	return out.b, nil
}
