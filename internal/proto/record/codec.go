package record

import (
	"errors"
	"fmt"
)

// Codec is a compression of records, numbered as in the batch attributes.
type Codec int8

const (
	None   Codec = 0
	Gzip   Codec = 1
	Snappy Codec = 2
	LZ4    Codec = 3
	Zstd   Codec = 4
)

// DefaultLevel asks for a codec's own default level, which is Kafka's.
const DefaultLevel = 0

func (c Codec) String() string {
	switch c {
	case ProducerCodec:
		return "producer"
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Snappy:
		return "snappy"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	}
	return "unknown"
}

// Known reports whether c is a codec of the format; ids 5 to 7 are not.
func (c Codec) Known() bool { return c >= None && c <= Zstd }

// ParseCodec reads the name of a codec as configs spell it: producers say none where
// topics say uncompressed, and producer is what only topics say.
func ParseCodec(name string) (Codec, error) {
	switch name {
	case "uncompressed":
		return None, nil
	case "producer":
		return ProducerCodec, nil
	}
	for c := None; c <= Zstd; c++ {
		if c.String() == name {
			return c, nil
		}
	}
	return None, fmt.Errorf("unknown compression codec %q", name)
}

// Limits cap what compressed bytes may become. Zero fields mean the default.
type Limits struct {
	MaxBytes int // of output; default 128 MiB
	MaxRatio int // output over input, asked only beyond 1 MiB of output; default 2048
}

const (
	defaultMaxBytes = 128 << 20
	// No honest gzip (at most 1032), lz4 (255) or snappy (22) stream comes near it; a
	// zstd bomb reaches 32,716.
	defaultMaxRatio = 2048
	ratioFreeBytes  = 1 << 20
)

// ErrTooLarge means that compressed bytes would become more than the Limits allow.
var ErrTooLarge = errors.New("decompressed records exceed the limit")

// most is how many bytes src may become.
func (l Limits) most(src int) int {
	if l.MaxBytes <= 0 {
		l.MaxBytes = defaultMaxBytes
	}
	if l.MaxRatio <= 0 {
		l.MaxRatio = defaultMaxRatio
	}
	return int(min(int64(l.MaxBytes), max(int64(src)*int64(l.MaxRatio), ratioFreeBytes)))
}

// Decompress appends to dst what src holds and returns the longer slice. Memory grows
// with the bytes that come out, never by what src claims.
// It returns ErrTooLarge beyond the limits and ErrCorrupt for bytes that are not of
// the codec; dst is returned as it was then.
func Decompress(dst []byte, c Codec, src []byte, l Limits) ([]byte, error) {
	most := l.most(len(src))
	var out []byte
	var err error
	switch c {
	case None:
		if len(src) > most {
			return dst, ErrTooLarge
		}
		return append(dst, src...), nil
	case Gzip:
		out, err = gunzip(dst, src, most)
	case Snappy:
		out, err = unsnappy(dst, src, most)
	case LZ4:
		out, err = unlz4(dst, src, most)
	case Zstd:
		out, err = unzstd(dst, src, most)
	default:
		return dst, fmt.Errorf("codec %d: %w", c, ErrCorrupt)
	}
	if err != nil {
		if !errors.Is(err, ErrTooLarge) {
			err = fmt.Errorf("%s records: %w (%w)", c, ErrCorrupt, err)
		}
		return dst, err
	}
	return out, nil
}

// Compress appends src, compressed, to dst and returns the longer slice. The level is
// the codec's as Kafka counts it: gzip 1 to 9, lz4 1 to 17, zstd -131072 to 22;
// DefaultLevel is Kafka's default, and a level beyond the range is its end.
func Compress(dst []byte, c Codec, level int, src []byte) ([]byte, error) {
	switch c {
	case None:
		return append(dst, src...), nil
	case Gzip:
		return gzipped(dst, level, src)
	case Snappy:
		return snappied(dst, src), nil
	case LZ4:
		return lz4ed(dst, level, src)
	case Zstd:
		return zstded(dst, level, src)
	}
	return dst, fmt.Errorf("codec %d: %w", c, ErrCorrupt)
}

// appender is an io.Writer at the end of a slice.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// room returns b with at least n bytes of spare capacity, at least doubling it when it
// must grow.
func room(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	grown := make([]byte, len(b), max(len(b)+n, 2*cap(b)))
	copy(grown, b)
	return grown
}
