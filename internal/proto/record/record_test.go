package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var allCodecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

func sampleRecords() []Record {
	return []Record{
		{Timestamp: 1700000000123, Key: []byte("k"), Value: []byte("v")},
		{Timestamp: 1700000000100, Key: nil, Value: bytes.Repeat([]byte("odradek "), 40)},
		{Timestamp: 1700000009999, Key: []byte{}, Value: nil},
		{Timestamp: 1700000000123, Key: []byte("h"), Value: []byte{},
			Headers: []Header{{"a", []byte("1")}, {"", nil}, {"c", []byte{}}}},
	}
}

func build(t testing.TB, cfg BuilderConfig, records ...Record) Batch {
	t.Helper()
	b := NewBuilder(cfg)
	for _, r := range records {
		b.Append(r)
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func collect(t testing.TB, b Batch) []Record {
	t.Helper()
	var got []Record
	for r, err := range b.Records(Limits{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	return got
}

func sameRecord(a, b Record) bool {
	same := func(x, y []byte) bool { return (x == nil) == (y == nil) && bytes.Equal(x, y) }
	return a.Offset == b.Offset && a.Timestamp == b.Timestamp && same(a.Key, b.Key) && same(a.Value, b.Value) &&
		slices.EqualFunc(a.Headers, b.Headers, func(x, y Header) bool { return x.Key == y.Key && same(x.Value, y.Value) })
}

// What is built comes back, null and empty apart, in every codec.
func TestBuildAndRead(t *testing.T) {
	for _, codec := range allCodecs {
		t.Run(codec.String(), func(t *testing.T) {
			want := sampleRecords()
			b := build(t, BuilderConfig{Codec: codec, BaseOffset: 42, Epoch: 7, ProducerID: 9, ProducerEpoch: 2, BaseSequence: 5}, want...)
			split, rest, err := Split(b)
			if err != nil || len(rest) != 0 || split.Verify() != nil {
				t.Fatalf("split: %v, %d bytes left, verify %v", err, len(rest), split.Verify())
			}
			if b.Codec() != codec || b.Count() != 4 || b.LastOffset() != 45 || b.LeaderEpoch() != 7 ||
				b.MaxTimestamp() != 1700000009999 || b.BaseTimestamp() != 1700000000123 ||
				b.ProducerID() != 9 || b.ProducerEpoch() != 2 || b.BaseSequence() != 5 || b.LastSequence() != 8 {
				t.Fatalf("header is wrong: % x", []byte(b[:HeaderLen]))
			}
			for i := range want {
				want[i].Offset = 42 + int64(i)
			}
			if got := collect(t, b); !slices.EqualFunc(got, want, sameRecord) {
				t.Fatalf("got %v, want %v", got, want)
			}
		})
	}
}

// A batch as Kafka's own producer lays it out, byte by byte.
func TestGoldenBatch(t *testing.T) {
	golden, err := hex.DecodeString("" +
		"000000000000002a" + "00000046" + "00000003" + "02" + "4e30b148" + // base offset, length, epoch, magic, CRC
		"0000" + "00000001" + "0000018bcfe56800" + "0000018bcfe56805" + // attributes, last delta, base and max time
		"ffffffffffffffff" + "ffff" + "ffffffff" + "00000002" + // producer, count
		"10" + "00" + "00" + "00" + "026b" + "0276" + "00" + // "k" → "v", no headers
		"16" + "00" + "0a" + "02" + "01" + "01" + "02" + "0268" + "0478" + "79") // null → null, header h → "xy"
	if err != nil {
		t.Fatal(err)
	}
	records := []Record{
		{Timestamp: 1700000000000, Key: []byte("k"), Value: []byte("v")},
		{Timestamp: 1700000000005, Headers: []Header{{"h", []byte("xy")}}},
	}
	b := build(t, BuilderConfig{BaseOffset: 42, Epoch: 3}, records...)
	if !bytes.Equal(b, golden) {
		t.Fatalf("built\n%x, want\n%x", []byte(b), golden)
	}
}

// franz-go's codec of batches and records and this one agree.
func TestAgainstFranz(t *testing.T) {
	b := build(t, BuilderConfig{BaseOffset: 3, ProducerID: 0, Idempotent: true}, sampleRecords()...)
	var kb kmsg.RecordBatch
	if err := kb.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	if again := kb.AppendTo(nil); !bytes.Equal(again, b) {
		t.Fatalf("franz writes\n%x, we\n%x", again, []byte(b))
	}
	if kb.ProducerID != 0 || kb.ProducerEpoch != 0 || kb.FirstSequence != 0 || kb.NumRecords != 4 {
		t.Fatalf("franz reads %+v", kb)
	}
	in := kb.Records
	for i, want := range sampleRecords() {
		var kr kmsg.Record
		length, n := varint(in)
		if err := kr.ReadFrom(in[:n+int(length)]); err != nil {
			t.Fatal(err)
		}
		in = in[n+int(length):]
		if !bytes.Equal(kr.Key, want.Key) || !bytes.Equal(kr.Value, want.Value) || len(kr.Headers) != len(want.Headers) ||
			kb.FirstTimestamp+kr.TimestampDelta64 != want.Timestamp || int(kr.OffsetDelta) != i {
			t.Errorf("franz reads record %d as %+v", i, kr)
		}
	}
}

// Each damage to a record ends the iteration with one error.
func TestMalformedRecords(t *testing.T) {
	good := build(t, BuilderConfig{}, Record{Key: []byte("key"), Value: []byte("value"), Headers: []Header{{"h", []byte("v")}}})
	// 61 length, 62 attributes, 63 time, 64 offset, 65 key length, 69 value length, 75 header count, 76 its key length
	for _, c := range []struct {
		what string
		at   int
		to   byte
	}{
		{"length too small", 61, 2 * 5}, {"length too large", 61, 0x7e}, {"negative length", 61, 1},
		{"unending varint", 63, 0xff}, {"key too long", 65, 0x7e}, {"key too short", 65, 2},
		{"value too long", 69, 0x7e}, {"many headers", 75, 0x7e}, {"negative headers", 75, 1},
		{"header key null", 76, 1}, {"header key too long", 76, 0x7e}, {"fewer headers", 75, 0},
	} {
		bad := Batch(slices.Clone(good))
		bad[c.at] = c.to
		errs := 0
		for _, err := range bad.Records(Limits{}) {
			if err == nil {
				t.Errorf("%s: a record came out", c.what)
			} else if errs++; !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %v", c.what, err)
			}
		}
		if errs != 1 {
			t.Errorf("%s: %d errors", c.what, errs)
		}
	}
}

// Counts that differ from what lies there are errors, too few and too many.
func TestWrongCount(t *testing.T) {
	for _, count := range []byte{1, 3, 200} {
		b := build(t, BuilderConfig{}, Record{Value: []byte("a")}, Record{Value: []byte("b")})
		b[posCount+3] = count
		var last error
		for _, err := range b.Records(Limits{}) {
			last = err
		}
		if !errors.Is(last, ErrCorrupt) {
			t.Errorf("count %d: %v", count, last)
		}
	}
}

func TestLogAppendTimeRecords(t *testing.T) {
	b := build(t, BuilderConfig{LogAppendTime: true, AppendTime: 500}, Record{Timestamp: 1}, Record{Timestamp: 2})
	for _, r := range collect(t, b) {
		if r.Timestamp != 500 {
			t.Errorf("timestamp is %d, want the append time", r.Timestamp)
		}
	}
}

func TestEndTxn(t *testing.T) {
	for _, want := range []EndTxnMarker{{true, 3}, {false, 0}} {
		b := EndTxn(0, 4, want, 1000)
		if !b.Control() || !b.Transactional() || b.ProducerID() != 0 || b.ProducerEpoch() != 4 || b.BaseSequence() != NoSequence {
			t.Errorf("header is wrong: % x", []byte(b[:HeaderLen]))
		}
		got, ok, err := b.EndTxnMarker()
		if err != nil || !ok || got != want {
			t.Errorf("got %+v %v %v, want %+v", got, ok, err, want)
		}
	}
	other := build(t, BuilderConfig{Control: true}, Record{Key: []byte{0, 0, 0, 2}, Value: []byte("leader change")})
	if _, ok, err := other.EndTxnMarker(); ok || err != nil {
		t.Errorf("another control record: %v %v, want false and no error", ok, err)
	}
	for _, key := range [][]byte{nil, {0}, {0x80, 0, 0, 1}, {0, 0, 0, 1}} {
		bad := build(t, BuilderConfig{Control: true}, Record{Key: key, Value: []byte{0, 0}})
		if _, _, err := bad.EndTxnMarker(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("key %x: %v", key, err)
		}
	}
}

func BenchmarkReader(b *testing.B) {
	for _, codec := range allCodecs {
		b.Run(codec.String(), func(b *testing.B) {
			builder := NewBuilder(BuilderConfig{Codec: codec})
			for i := range 1000 {
				builder.Append(Record{Timestamp: int64(i), Key: fmt.Appendf(nil, "key-%d", i), Value: bytes.Repeat([]byte("x"), 100)})
			}
			b.SetBytes(int64(builder.Size()))
			batch, err := builder.Build()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			var r Reader
			for b.Loop() {
				if err := r.Open(batch, Limits{}); err != nil {
					b.Fatal(err)
				}
				for r.Next() {
				}
				if r.Err() != nil {
					b.Fatal(r.Err())
				}
				r.Close()
			}
		})
	}
}
