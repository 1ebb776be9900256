package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

const testNow = int64(1_700_000_000_000)

func at(timestamps ...int64) []Record {
	var records []Record
	for _, t := range timestamps {
		records = append(records, Record{Timestamp: t, Key: []byte("k"), Value: []byte("v")})
	}
	return records
}

// edit changes header bytes of a batch and seals it again, as a client would that means it.
func edit(b Batch, change func(Batch)) Batch {
	b = slices.Clone(b)
	change(b)
	b.seal()
	return b
}

func setMaxTimestamp(t int64) func(Batch) {
	return func(b Batch) { binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(t)) }
}

func with(change func(*Rules)) Rules {
	r := DefaultRules()
	change(&r)
	return r
}

// What a client's batch may not be, and what it is told.
func TestValidateRefuses(t *testing.T) {
	plain := build(t, BuilderConfig{}, at(testNow, testNow)...)
	packed := func(c Codec, records ...Record) Batch { return build(t, BuilderConfig{Codec: c}, records...) }
	noKey := []Record{{Timestamp: testNow, Key: []byte("k")}, {Timestamp: testNow}, {Timestamp: testNow, Key: []byte{}}, {Timestamp: testNow}}
	const hour = 3600_000
	for _, c := range []struct {
		what    string
		batch   Batch
		rules   Rules
		want    error
		indexes []int32
	}{
		{"a CRC that is wrong", func() Batch { b := slices.Clone(plain); b[HeaderLen+3] ^= 1; return b }(), DefaultRules(), kerr.CorruptMessage, nil},
		{"a base offset", edit(plain, func(b Batch) { b.Stamp(5, 0) }), DefaultRules(), kerr.InvalidRecord, nil},
		{"a control batch", EndTxn(1, 1, EndTxnMarker{}, testNow), DefaultRules(), kerr.InvalidRecord, nil},
		{"no record", edit(plain[:HeaderLen], func(b Batch) { b[posCount+3] = 0; b[posLength+3] = 49 }), DefaultRules(), kerr.InvalidRecord, nil},
		{"fewer records than offsets", edit(plain, func(b Batch) { b[posLastDelta+3] = 7 }), DefaultRules(), kerr.InvalidRecord, nil},
		{"a producer without sequence", edit(build(t, BuilderConfig{ProducerID: 1}, at(testNow)...), func(b Batch) { b[posBaseSequence] = 0xff }), DefaultRules(), kerr.InvalidRecord, nil},
		{"codec 5", edit(plain, func(b Batch) { b[posAttributes+1] = 5 }), DefaultRules(), kerr.UnsupportedCompressionType, nil},
		{"zstd in Produce 6", packed(Zstd, at(testNow)...), with(func(r *Rules) { r.ProduceVersion = 6 }), kerr.UnsupportedCompressionType, nil},
		{"too large", plain, with(func(r *Rules) { r.MaxMessageBytes = len(plain) - 1 }), kerr.MessageTooLarge, nil},
		{"too large when recompressed", packed(Gzip, Record{Timestamp: testNow, Value: make([]byte, 5000)}),
			with(func(r *Rules) { r.MaxMessageBytes = 5000; r.Compression = None }), kerr.MessageTooLarge, nil},
		{"too new", build(t, BuilderConfig{}, at(testNow, testNow+hour+1)...), DefaultRules(), kerr.InvalidTimestamp, []int32{1}},
		{"too new, compressed", packed(LZ4, at(testNow+hour+1, testNow, testNow+2*hour)...), DefaultRules(), kerr.InvalidTimestamp, []int32{0, 2}},
		{"too old", build(t, BuilderConfig{}, at(testNow, testNow-hour-1)...), with(func(r *Rules) { r.BeforeMaxMs = hour }), kerr.InvalidTimestamp, []int32{1}},
		{"too old, compressed", packed(Zstd, at(testNow, testNow-hour-1)...), with(func(r *Rules) { r.BeforeMaxMs = hour }), kerr.InvalidTimestamp, []int32{1}},
		{"no key on a compacted topic", build(t, BuilderConfig{}, noKey...), with(func(r *Rules) { r.Compacted = true }), kerr.InvalidRecord, []int32{1, 3}},
		{"no key, compressed", packed(Snappy, noKey...), with(func(r *Rules) { r.Compacted = true }), kerr.InvalidRecord, []int32{1, 3}},
		{"the broker's time claimed", build(t, BuilderConfig{LogAppendTime: true, AppendTime: testNow}, at(1, 2)...),
			with(func(r *Rules) { r.LogAppendTime = true }), kerr.InvalidTimestamp, []int32{0, 1}},
		{"a malformed record", edit(plain, func(b Batch) { b[HeaderLen] = 0x7e }), DefaultRules(), kerr.InvalidRecord, nil},
		{"bytes behind the records", func() Batch {
			b := append(slices.Clone(plain), 0)
			return edit(b, func(b Batch) { b[posLength+3]++ })
		}(), DefaultRules(), kerr.InvalidRecord, nil},
		{"broken compression, opened", edit(packed(Gzip, at(testNow)...), func(b Batch) { b[HeaderLen] ^= 1 }),
			with(func(r *Rules) { r.OpenCompressed = true }), kerr.InvalidRecord, nil},
		{"a bomb, opened", packed(Zstd, Record{Key: []byte("k"), Timestamp: testNow, Value: make([]byte, 40<<20)}),
			with(func(r *Rules) { r.Compacted = true }), kerr.InvalidRecord, nil},
	} {
		b, v, err := Validate(slices.Clone(c.batch), c.rules, testNow)
		if !errors.Is(err, c.want) || b != nil {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
		var indexes []int32
		for _, e := range v.RecordErrors {
			indexes = append(indexes, e.Index)
			if e.Message == "" {
				t.Errorf("%s: record %d has no message", c.what, e.Index)
			}
		}
		if !slices.Equal(indexes, c.indexes) {
			t.Errorf("%s: errors at %v, want %v", c.what, indexes, c.indexes)
		}
	}
}

// What passes, passes byte for byte.
func TestValidatePassesThrough(t *testing.T) {
	for _, codec := range allCodecs {
		for _, rules := range []Rules{DefaultRules(), with(func(r *Rules) { r.OpenCompressed = true }),
			with(func(r *Rules) { r.Compacted = true }), with(func(r *Rules) { r.Compression = codec }),
			with(func(r *Rules) { r.BeforeMaxMs = 0; r.AfterMaxMs = 0 })} {
			in := build(t, BuilderConfig{Codec: codec, ProducerID: 3, BaseSequence: 1}, at(testNow, NoTimestamp, testNow)...)
			want := slices.Clone(in)
			out, v, err := Validate(in, rules, testNow)
			if err != nil || v.Rebuilt || v.MaxTimestamp != testNow || !bytes.Equal(out, want) || &out[0] != &in[0] {
				t.Errorf("%s %+v: %v, %+v", codec, rules, err, v)
			}
		}
	}
}

// LogAppendTime is written into the header in place; the payload is not touched.
func TestValidateLogAppendTime(t *testing.T) {
	for _, codec := range allCodecs {
		in := build(t, BuilderConfig{Codec: codec}, at(5, 6, 7)...)
		payload := slices.Clone(in.Payload())
		out, v, err := Validate(in, with(func(r *Rules) { r.LogAppendTime = true }), testNow)
		if err != nil || v.Rebuilt || v.MaxTimestamp != testNow || !out.LogAppendTime() || out.MaxTimestamp() != testNow ||
			out.BaseTimestamp() != 5 || out.Codec() != codec || out.Verify() != nil || !bytes.Equal(out.Payload(), payload) {
			t.Errorf("%s: %v, %+v", codec, err, v)
		}
	}
}

// A greatest timestamp that is wrong is put right where records are looked at.
func TestValidateCorrectsMaxTimestamp(t *testing.T) {
	for _, codec := range allCodecs {
		for _, lie := range []int64{NoTimestamp, testNow + 1<<40, 0} {
			in := edit(build(t, BuilderConfig{Codec: codec}, at(testNow-5, testNow, testNow-9)...), setMaxTimestamp(lie))
			out, v, err := Validate(in, DefaultRules(), testNow)
			if err != nil || v.MaxTimestamp != testNow || out.MaxTimestamp() != testNow || out.Verify() != nil {
				t.Errorf("%s said %d: %v, %+v", codec, lie, err, v)
			}
		}
	}
	// A topic of create times takes the claim of the broker's time away, as Kafka does.
	in := build(t, BuilderConfig{LogAppendTime: true, AppendTime: testNow}, at(1)...)
	if out, _, err := Validate(in, DefaultRules(), testNow); err != nil || out.LogAppendTime() || out.MaxTimestamp() != testNow || out.Verify() != nil {
		t.Errorf("claimed append time on a create time topic: %v", err)
	}
}

// Recompression keeps records, producer and sequence.
func TestValidateRecompresses(t *testing.T) {
	records := sampleRecords()
	for _, from := range allCodecs {
		for _, to := range allCodecs {
			if from == to {
				continue
			}
			in := build(t, BuilderConfig{Codec: from, ProducerID: 0, ProducerEpoch: 1, BaseSequence: math.MaxInt32, Transactional: true}, records...)
			out, v, err := Validate(in, with(func(r *Rules) { r.Compression = to; r.ZstdLevel = 7; r.GzipLevel = 9; r.LZ4Level = 3 }), 1700000010000)
			if err != nil || !v.Rebuilt || out.Codec() != to || out.Verify() != nil {
				t.Fatalf("%s to %s: %v, %+v", from, to, err, v)
			}
			if out.ProducerID() != 0 || out.ProducerEpoch() != 1 || out.BaseSequence() != math.MaxInt32 || !out.Transactional() ||
				out.LastSequence() != 2 || out.MaxTimestamp() != in.MaxTimestamp() {
				t.Errorf("%s to %s: header % x", from, to, []byte(out[:HeaderLen]))
			}
			if got, want := collect(t, out), collect(t, in); !slices.EqualFunc(got, want, sameRecord) {
				t.Errorf("%s to %s: got %v, want %v", from, to, got, want)
			}
		}
	}
}

// Records that are numbered wrongly are numbered again, in any codec.
func TestValidateRenumbers(t *testing.T) {
	in := build(t, BuilderConfig{}, at(testNow, testNow, testNow)...)
	in = edit(in, func(b Batch) { b[HeaderLen+3] = 4; b[HeaderLen+9+3] = 4 })
	out, v, err := Validate(in, DefaultRules(), testNow)
	if err != nil || !v.Rebuilt {
		t.Fatalf("%v, %+v", err, v)
	}
	for i, r := range collect(t, out) {
		if r.Offset != int64(i) {
			t.Errorf("record %d has offset %d", i, r.Offset)
		}
	}
}

// However many records are bad, the answer stays small.
func TestValidateCapsRecordErrors(t *testing.T) {
	b := NewBuilder(BuilderConfig{Codec: Zstd})
	for range 50_000 {
		b.Append(Record{Timestamp: testNow})
	}
	batch, _ := b.Build()
	_, v, err := Validate(batch, with(func(r *Rules) { r.Compacted = true }), testNow)
	if len(v.RecordErrors) != maxRecordErrors || !strings.Contains(err.Error(), "50000 record errors in total") {
		t.Errorf("%d errors, %v", len(v.RecordErrors), err)
	}
}

func TestSingle(t *testing.T) {
	b := build(t, BuilderConfig{}, at(1)...)
	for _, c := range []struct {
		what  string
		bytes []byte
		want  error
	}{
		{"one", b, nil}, {"none", nil, kerr.InvalidRecord}, {"cut short", b[:len(b)-1], kerr.InvalidRecord},
		{"two", append(slices.Clone(b), b...), kerr.InvalidRecord},
		{"old format", edit(b, func(b Batch) { b[posMagic] = 1 }), kerr.InvalidRecord},
		{"more records than offsets", edit(b, func(b Batch) { b[posCount+3] = 9 }), kerr.InvalidRecord},
		{"damaged count", func() Batch { b := slices.Clone(b); b[posCount+3] = 9; return b }(), kerr.CorruptMessage},
		{"negative length", edit(b, func(b Batch) { b[posLength] = 0xff }), kerr.CorruptMessage},
	} {
		if got, err := Single(c.bytes); !errors.Is(err, c.want) || (err == nil) != (got != nil) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
}

// A plain batch costs no allocation, whatever the number of records.
func TestValidateAllocatesNothing(t *testing.T) {
	for _, codec := range allCodecs {
		in := plainBatch(t, codec, 1000)
		rules := DefaultRules()
		if n := testing.AllocsPerRun(100, func() {
			if _, _, err := Validate(in, rules, testNow); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", codec, n)
		}
	}
}

func plainBatch(t testing.TB, codec Codec, n int) Batch {
	b := NewBuilder(BuilderConfig{Codec: codec, ProducerID: 5})
	for range n {
		b.Append(Record{Timestamp: testNow, Key: []byte("a key"), Value: bytes.Repeat([]byte("0123456789"), 10)})
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func FuzzValidate(f *testing.F) {
	for _, codec := range allCodecs {
		f.Add([]byte(build(f, BuilderConfig{Codec: codec, ProducerID: 1}, sampleRecords()...)), int8(ProducerCodec), false, true)
	}
	f.Add([]byte(EndTxn(1, 2, EndTxnMarker{}, 3)), int8(Zstd), true, false)
	f.Fuzz(func(t *testing.T, bytes []byte, to int8, compacted, appendTime bool) {
		b, err := Single(bytes)
		if err != nil {
			return
		}
		b.seal() // a fuzzer finds no checksums
		rules := DefaultRules()
		rules.Compression, rules.Compacted, rules.LogAppendTime = Codec(to%5), compacted, appendTime
		rules.Limits = Limits{MaxBytes: 1 << 20}
		rules.AfterMaxMs = math.MaxInt64
		out, _, err := Validate(b, rules, testNow)
		if err != nil {
			return
		}
		// What was let in can be read by everybody, unless it was let in unopened.
		if out.Verify() != nil {
			t.Fatal("checksum is wrong")
		}
		for _, err := range out.Records(Limits{MaxBytes: 2 << 20}) {
			if err != nil && (out.Codec() == None || compacted) {
				t.Fatal(err)
			}
		}
		if again, v, err := Validate(out, rules, testNow); err == nil && (v.Rebuilt || &again[0] != &out[0]) {
			t.Fatal("validated twice, it changes again")
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte(build(f, BuilderConfig{}, sampleRecords()...)))
	f.Fuzz(func(t *testing.T, bytes []byte) {
		n := 0
		for rest := bytes; ; n++ {
			b, r, err := Split(rest)
			if err != nil {
				break
			}
			if len(b) < HeaderLen || b.Size() != len(b) || len(b)+len(r) != len(rest) || n > len(bytes)/HeaderLen {
				t.Fatalf("split %d bytes into %d and %d", len(rest), len(b), len(r))
			}
			_, _, _ = b.LastSequence(), b.Sum(), b.NextOffset()
			rest = r
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	for _, codec := range allCodecs {
		for _, open := range []bool{false, true} {
			name := codec.String()
			if open {
				name += "/opened"
			}
			b.Run(name, func(b *testing.B) {
				batch := plainBatch(b, codec, 1000)
				rules := DefaultRules()
				rules.OpenCompressed = open
				b.SetBytes(int64(len(batch)))
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := Validate(batch, rules, testNow); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
