package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/s2"
	kzstd "github.com/klauspost/compress/zstd"
	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

func samples() map[string][]byte {
	random := make([]byte, 300<<10)
	rand.New(rand.NewSource(1)).Read(random)
	return map[string][]byte{
		"nothing": {},
		"a byte":  {7},
		"text":    []byte(strings.Repeat("Odradek laughs, but it is only the laughter that one has without lungs. ", 9000)),
		"noise":   random,
		"zeros":   make([]byte, 900<<10),
	}
}

// Every codec at every level gives back what it was given, after bytes that it must keep.
func TestCodecsRoundTrip(t *testing.T) {
	levels := map[Codec][]int{Gzip: {-1, 1, 9, 77}, LZ4: {1, 9, 17}, Zstd: {-100, 1, 3, 7, 22}}
	for _, codec := range allCodecs {
		for _, level := range append(levels[codec], DefaultLevel) {
			for name, src := range samples() {
				packed, err := Compress([]byte("head"), codec, level, src)
				if err != nil || string(packed[:4]) != "head" {
					t.Fatalf("%s level %d, %s: %v", codec, level, name, err)
				}
				got, err := Decompress([]byte("HEAD"), codec, packed[4:], Limits{})
				if err != nil || string(got[:4]) != "HEAD" || !bytes.Equal(got[4:], src) {
					t.Fatalf("%s level %d, %s: %v, %d bytes of %d", codec, level, name, err, len(got)-4, len(src))
				}
			}
		}
	}
}

// What franz-go compresses is read here, and the other way round.
func TestCodecsAgainstFranz(t *testing.T) {
	theirs := map[Codec]kgo.CompressionCodec{Gzip: kgo.GzipCompression(), Snappy: kgo.SnappyCompression(),
		LZ4: kgo.Lz4Compression(), Zstd: kgo.ZstdCompression()}
	for codec, franz := range theirs {
		compressor, err := kgo.DefaultCompressor(franz)
		if err != nil {
			t.Fatal(err)
		}
		for name, src := range samples() {
			packed, _ := compressor.Compress(new(bytes.Buffer), src)
			if got, err := Decompress(nil, codec, packed, Limits{}); err != nil || !bytes.Equal(got, src) {
				t.Errorf("%s %s: franz to us: %v", codec, name, err)
			}
			if len(src) == 0 {
				continue // no batch is empty, and franz refuses an empty snappy stream
			}
			ours, err := Compress(nil, codec, DefaultLevel, src)
			if err != nil {
				t.Fatal(err)
			}
			got, err := kgo.DefaultDecompressor().Decompress(ours, kgo.CompressionCodecType(codec))
			if err != nil || !bytes.Equal(got, src) {
				t.Errorf("%s %s: us to franz: %v", codec, name, err)
			}
		}
	}
}

// LZ4 frames of every make are read: linked blocks, checksums, content sizes, large
// blocks, and the wrong descriptor checksum of old clients.
func TestLZ4Frames(t *testing.T) {
	src := samples()["text"]
	for _, options := range [][]lz4.Option{
		{lz4.BlockChecksumOption(true), lz4.ChecksumOption(true)},
		{lz4.SizeOption(uint64(len(src))), lz4.BlockSizeOption(lz4.Block4Mb)},
		{lz4.BlockSizeOption(lz4.Block256Kb), lz4.ChecksumOption(false)},
	} {
		var packed bytes.Buffer
		w := lz4.NewWriter(&packed)
		if err := w.Apply(options...); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(src); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := Decompress(nil, LZ4, packed.Bytes(), Limits{}); err != nil || !bytes.Equal(got, src) {
			t.Errorf("%v: %v", options, err)
		}
	}
	quirk, _ := Compress(nil, LZ4, DefaultLevel, src)
	quirk[6] ^= 0x55
	if got, err := Decompress(nil, LZ4, quirk, Limits{}); err != nil || !bytes.Equal(got, src) {
		t.Errorf("wrong descriptor checksum: %v", err)
	}
	// Linked: the second block is one copy of bytes of the first.
	linked := append([]byte{0x04, 0x22, 0x4D, 0x18, 0x40, 0x40, 0xC0}, 8, 0, 0, 0x80)
	linked = append(append(linked, "spindles"...), 9, 0, 0, 0)
	linked = append(linked, 0x04, 8, 0, 0x50, '.', '.', '.', '.', '.')
	linked = append(linked, 0, 0, 0, 0)
	if got, err := Decompress(nil, LZ4, linked, Limits{}); err != nil || string(got) != "spindlesspindles....." {
		t.Errorf("linked blocks: %q, %v", got, err)
	}
}

// Snappy is read bare and in any row of xerial streams.
func TestSnappyDresses(t *testing.T) {
	src := samples()["text"]
	stream, _ := Compress(nil, Snappy, DefaultLevel, src)
	for name, c := range map[string]struct{ packed, want []byte }{
		"bare":        {s2.EncodeSnappy(nil, src), src},
		"two streams": {append(append([]byte{}, stream...), stream...), append(append([]byte{}, src...), src...)},
		"empty":       {xerialHeader, nil},
	} {
		if got, err := Decompress(nil, Snappy, c.packed, Limits{}); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// bombs are small inputs that would be very large.
func bombs(t *testing.T) map[string]struct {
	codec Codec
	src   []byte
} {
	zeros := make([]byte, 16<<20)
	w, err := kzstd.NewWriter(nil, kzstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	gz, _ := Compress(nil, Gzip, 9, zeros)
	lz, _ := Compress(nil, LZ4, DefaultLevel, zeros)
	// A frame without content size: each 4 bytes are a block of 128 KiB.
	rle := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58}
	for range 4096 {
		rle = append(rle, 0x02, 0x00, 0x10, 0)
	}
	return map[string]struct {
		codec Codec
		src   []byte
	}{
		"zstd":             {Zstd, w.EncodeAll(zeros, nil)},
		"zstd run lengths": {Zstd, append(rle, 0x03, 0, 0x10, 0)},
		"gzip":             {Gzip, gz},
		"lz4":              {LZ4, lz},
		"snappy":           {Snappy, s2.EncodeSnappy(nil, zeros)},
		"snappy claim":     {Snappy, []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0}},
		"xerial claim":     {Snappy, append(append([]byte{}, xerialHeader...), 0, 0, 0, 6, 0xff, 0xff, 0xff, 0xff, 0x0f, 0)},
		"xerial length":    {Snappy, append(append([]byte{}, xerialHeader...), 0xff, 0xff, 0xff, 0xff)},
		"zstd claim":       {Zstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0x10, 0, 0, 0, 3, 0, 0}},
		"zstd window":      {Zstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 3, 0, 0}},
	}
}

// A bomb ends in an error after memory in proportion to the limit, not to its claim.
func TestBombs(t *testing.T) {
	for name, bomb := range bombs(t) {
		limits := Limits{MaxBytes: 2 << 20}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decompress(nil, bomb.codec, bomb.src, limits)
		runtime.ReadMemStats(&after)
		allocated := after.TotalAlloc - before.TotalAlloc
		if err == nil {
			t.Errorf("%s: %d bytes went off", name, len(bomb.src))
		}
		if allocated > 8<<20 {
			t.Errorf("%s: allocated %d bytes for a limit of %d", name, allocated, limits.MaxBytes)
		}
	}
}

// However many batches become large, one is open at a time: what they become is memory
// that nobody has admitted.
func TestHeavyBatchesTakeTurns(t *testing.T) {
	const size = heavyBytes + 1
	light := build(t, BuilderConfig{Codec: LZ4}, Record{Value: make([]byte, 1<<20)})
	for _, codec := range []Codec{Gzip, Snappy, LZ4} { // no honest zstd is as dense as zeros
		heavy := build(t, BuilderConfig{Codec: codec}, Record{Value: make([]byte, size)})
		var open, most atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				var r, other Reader
				if err := r.Open(heavy, Limits{}); err != nil {
					t.Errorf("%s: %v", codec, err)
					return
				}
				defer r.Close()
				defer open.Add(-1)
				n := open.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				if err := other.Open(light, Limits{}); err != nil { // does not wait
					t.Errorf("%s: a light batch: %v", codec, err)
				}
				other.Close()
				r.Rewind(heavy)
				if !r.Next() || len(r.View.Value) != size || r.Next() || r.Err() != nil {
					t.Errorf("%s: the batch reads wrong: %v", codec, r.Err())
				}
			})
		}
		wg.Wait()
		if most.Load() != 1 {
			t.Errorf("%s: %d were open at once", codec, most.Load())
		}
		broken := append(Batch{}, heavy...)
		broken[posCount+3] = 2 // its records end too early
		var r Reader
		if err := r.Open(broken, Limits{}); err == nil {
			for r.Next() {
			}
			if r.Err() == nil {
				t.Errorf("%s: a broken batch reads well", codec)
			}
			r.Close()
		}
		if !opening.TryLock() {
			t.Fatalf("%s: the turn was not given back", codec)
		}
		opening.Unlock()
	}
}

// What codecs keep between calls may be used inside a synctest bubble and outside.
func TestCodecsInBubbles(t *testing.T) {
	src := samples()["text"]
	turn := func(t *testing.T) {
		for _, codec := range allCodecs {
			packed, err := Compress(nil, codec, DefaultLevel, src)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Decompress(nil, codec, packed, Limits{}); err != nil || !bytes.Equal(got, src) {
				t.Fatalf("%s: %v", codec, err)
			}
		}
	}
	for range 3 {
		bubble.Test(t, turn)
		turn(t)
	}
}

// The ratio is asked only beyond the first MiB, and then it holds.
func TestRatio(t *testing.T) {
	for n, want := range map[int]error{1 << 20: nil, 40 << 20: ErrTooLarge} {
		packed, err := Compress(nil, Zstd, DefaultLevel, make([]byte, n))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decompress(nil, Zstd, packed, Limits{}); !errors.Is(err, want) {
			t.Errorf("%d zeros in %d bytes: %v, want %v", n, len(packed), err, want)
		}
		if _, err := Decompress(nil, Zstd, packed, Limits{MaxRatio: 1 << 20}); err != nil {
			t.Errorf("%d zeros with a generous ratio: %v", n, err)
		}
	}
}

// Cut off anywhere, compressed bytes are an error or a prefix, never a panic.
func TestTruncatedStreams(t *testing.T) {
	src := samples()["text"][:4000]
	for _, codec := range allCodecs[1:] {
		packed, _ := Compress(nil, codec, DefaultLevel, src)
		for n := range packed {
			if got, err := Decompress(nil, codec, packed[:n], Limits{}); err == nil && !bytes.HasPrefix(src, got) {
				t.Fatalf("%s cut at %d gives other bytes", codec, n)
			}
		}
	}
}

func FuzzDecompress(f *testing.F) {
	for _, codec := range allCodecs {
		packed, _ := Compress(nil, codec, DefaultLevel, []byte("a spool of thread, a spool of thread"))
		f.Add(int8(codec), packed)
	}
	f.Add(int8(Snappy), binary.AppendUvarint(nil, 1<<32-1))
	f.Add(int8(Snappy), append(append([]byte{}, xerialHeader...), 0, 0, 0, 3, 2, 4, 'a', 0xff, 0xff, 0xff, 0xff))
	f.Add(int8(Zstd), []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x03, 0x00, 0x10, 0})
	f.Fuzz(func(t *testing.T, codec int8, src []byte) {
		limits := Limits{MaxBytes: 1 << 20}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := Decompress(nil, Codec(codec), src, limits)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > uint64(8<<20+8*len(src)) {
			t.Fatalf("%d bytes took %d", len(src), spent)
		}
		if err == nil && len(out) > limits.MaxBytes {
			t.Fatalf("%d bytes came out", len(out))
		}
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTooLarge) {
			t.Fatalf("an error of no kind: %v", err)
		}
	})
}
