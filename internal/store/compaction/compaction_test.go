package compaction

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/proto/record"
)

const day = 24 * 3600_000

// batch makes a batch from words: "k=v" is a record, "k" alone a tombstone, "=v" has no
// key, "-" is a gap.
func batch(t testing.TB, cfg record.BuilderConfig, words string) record.Batch {
	t.Helper()
	b := record.NewBuilder(cfg)
	var v record.View
	offset := cfg.BaseOffset
	for w := range strings.FieldsSeq(words) {
		if w != "-" {
			one := record.NewBuilder(record.BuilderConfig{})
			r := record.Record{Timestamp: 1000 + offset}
			key, value, found := strings.Cut(w, "=")
			if key != "" {
				r.Key = []byte(key)
			}
			if found {
				r.Value = []byte(value)
			}
			one.Append(r)
			lone, _ := one.Build()
			var reader record.Reader
			if err := reader.Open(lone, record.Limits{}); err != nil || !reader.Next() {
				t.Fatal(err)
			}
			v = reader.View
			b.AppendView(&v, offset)
		}
		offset++
	}
	out, err := b.AppendTo(nil, offset-1)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tell is the inverse of batch, for whole logs: "0:k=v 1:k [3,5]" where [3,5] is an
// empty batch.
func tell(t testing.TB, log []byte) string {
	t.Helper()
	var out []string
	for rest := log; len(rest) > 0; {
		b, after, err := record.Split(rest)
		if err == nil {
			err = b.Verify()
		}
		if err != nil {
			t.Fatal(err)
		}
		rest = after
		if b.Count() == 0 {
			out = append(out, fmt.Sprintf("[%d,%d]", b.BaseOffset(), b.LastOffset()))
		}
		for r, err := range b.Records(record.Limits{}) {
			if err != nil {
				t.Fatal(err)
			}
			if b.Control() {
				m, _, _ := b.EndTxnMarker()
				out = append(out, fmt.Sprintf("%d:commit=%v", r.Offset, m.Commit))
				continue
			}
			s := fmt.Sprintf("%d:%s", r.Offset, r.Key)
			if r.Value != nil {
				s += "=" + string(r.Value)
			}
			if r.Timestamp != 1000+r.Offset {
				t.Errorf("record %d has the time %d", r.Offset, r.Timestamp)
			}
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

func split(t testing.TB, log []byte) []record.Batch {
	t.Helper()
	var out []record.Batch
	for len(log) > 0 {
		b, rest, err := record.Split(log)
		if err != nil {
			t.Fatal(err)
		}
		out, log = append(out, b), rest
	}
	return out
}

type cleaning struct {
	from    int64
	now     int64
	bytes   int64 // of the map
	aborted []AbortedTxn
	last    func(int64) (int64, int16, bool)
}

// clean runs one cleaning over a whole log and returns what is left, the first offset
// that is still dirty, and the filter.
func clean(t testing.TB, log []byte, c cleaning) ([]byte, int64, *Filter) {
	t.Helper()
	batches := split(t, log)
	end := batches[len(batches)-1].NextOffset()
	if c.bytes == 0 {
		c.bytes = 1 << 20
	}
	m := NewOffsetMap(c.bytes, end)
	var txns Txns
	txns.Add(c.aborted...)
	for _, b := range batches {
		full, err := m.Add(b, &txns, c.from)
		if err != nil {
			t.Fatal(err)
		}
		if full {
			break
		}
	}
	f := &Filter{Map: m, Now: c.now, DeleteRetentionMs: day, End: end, LastOffset: c.last}
	f.Txns.Add(c.aborted...)
	var out []byte
	for _, b := range batches {
		var err error
		if out, err = f.Rewrite(out, b); err != nil {
			t.Fatal(err)
		}
	}
	return out, m.Latest() + 1, f
}

func TestLatestPerKey(t *testing.T) {
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		log := slices.Concat[[]byte](
			batch(t, record.BuilderConfig{Codec: codec}, "a=1 b=1 c=1"),
			batch(t, record.BuilderConfig{Codec: codec, BaseOffset: 3, Epoch: 4}, "b=2 =x"),
			batch(t, record.BuilderConfig{Codec: codec, BaseOffset: 5}, "a=2 d=1"),
		)
		out, next, f := clean(t, log, cleaning{})
		if got, want := tell(t, out), "2:c=1 3:b=2 5:a=2 6:d=1"; got != want || next != 7 {
			t.Errorf("%s: got %s, want %s", codec, got, want)
		}
		kept := split(t, out)
		if kept[0].BaseOffset() != 0 || kept[0].LastOffset() != 2 || kept[1].LeaderEpoch() != 4 || kept[1].LastOffset() != 4 {
			t.Errorf("%s: a batch has moved", codec)
		}
		if kept[0].Codec() != codec || !bytes.Equal(kept[2], split(t, log)[2]) {
			t.Errorf("%s: codec of the first is %s, the last should be as it was", codec, kept[0].Codec())
		}
		if f.Stats.Keyless != 1 || f.Stats.Records != 7 || f.Stats.RecordsKept != 4 || f.Stats.Batches != 3 || f.Stats.BatchesKept != 3 {
			t.Errorf("%s: %+v", codec, f.Stats)
		}
		if again, _, _ := clean(t, out, cleaning{from: next}); !bytes.Equal(again, out) {
			t.Errorf("%s: a second cleaning changed %s", codec, tell(t, again))
		}
	}
}

// A tombstone is kept until the horizon that the first cleaning set.
func TestTombstones(t *testing.T) {
	log := slices.Concat[[]byte](
		batch(t, record.BuilderConfig{}, "a=1 b=1"),
		batch(t, record.BuilderConfig{BaseOffset: 2}, "a c=1"),
		batch(t, record.BuilderConfig{BaseOffset: 4}, "z=1"),
	)
	step := func(now int64, want string) {
		t.Helper()
		log, _, _ = clean(t, log, cleaning{now: now})
		if got := tell(t, log); got != want {
			t.Fatalf("at %d got %s, want %s", now, got, want)
		}
	}
	step(5, "1:b=1 2:a 3:c=1 4:z=1")
	if b := split(t, log)[1]; !b.HasDeleteHorizon() || b.BaseTimestamp() != 5+day || b.MaxTimestamp() != 1003 {
		t.Fatalf("horizon %v at %d", b.HasDeleteHorizon(), b.BaseTimestamp())
	}
	if split(t, log)[0].HasDeleteHorizon() {
		t.Error("a batch without tombstones has a horizon")
	}
	step(5+day-1, "1:b=1 2:a 3:c=1 4:z=1")
	step(5+day, "1:b=1 3:c=1 4:z=1")
}

// The batch that ends the range and the last of an active producer stay as headers.
func TestEmptyBatches(t *testing.T) {
	log := slices.Concat[[]byte](
		batch(t, record.BuilderConfig{ProducerID: 1, ProducerEpoch: 3, BaseSequence: 10, Codec: record.Zstd}, "a=1 b=1"),
		batch(t, record.BuilderConfig{BaseOffset: 2, ProducerID: 2, BaseSequence: 5}, "a=2"),
		batch(t, record.BuilderConfig{BaseOffset: 3}, "a=3 b=3"),
		batch(t, record.BuilderConfig{BaseOffset: 5}, "=x"),
	)
	active := func(id int64) (int64, int16, bool) { return 1, 3, id == 1 }
	out, _, _ := clean(t, log, cleaning{last: active})
	if got, want := tell(t, out), "[0,1] 3:a=3 4:b=3 [5,5]"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	if b := split(t, out)[0]; b.ProducerID() != 1 || b.ProducerEpoch() != 3 || b.BaseSequence() != 10 || b.LastSequence() != 11 ||
		b.Codec() != record.None || b.MaxTimestamp() != 1001 || b.BaseTimestamp() != -1 {
		t.Errorf("empty header is % x", []byte(b))
	}
	out, _, _ = clean(t, append(out, batch(t, record.BuilderConfig{BaseOffset: 6}, "c=1")...), cleaning{})
	if got, want := tell(t, out), "3:a=3 4:b=3 6:c=1"; got != want {
		t.Errorf("when the producer has gone: got %s, want %s", got, want)
	}
}

// Aborted data goes at once, and does not count as the last of its key; its marker goes
// when the data has gone and the horizon has passed.
func TestTransactions(t *testing.T) {
	txn := func(id int64, base int64, words string) record.Batch {
		return batch(t, record.BuilderConfig{BaseOffset: base, ProducerID: id, Transactional: true}, words)
	}
	marker := func(id, offset int64, commit bool) record.Batch {
		b := record.EndTxn(id, 0, record.EndTxnMarker{Commit: commit}, 1000+offset)
		b.Stamp(offset, 0)
		return b
	}
	log := slices.Concat[[]byte](
		txn(1, 0, "a=1"), txn(2, 1, "a=bad b=bad"), marker(1, 3, true), marker(2, 4, false),
		txn(1, 5, "b=1"), marker(1, 6, true), batch(t, record.BuilderConfig{BaseOffset: 7}, "z=1"),
	)
	aborted := []AbortedTxn{{ProducerID: 2, First: 1, Last: 4, LastStable: 5}}
	step := func(now int64, want string, index int) {
		t.Helper()
		var f *Filter
		kept := 0
		batches := split(t, log)
		end := batches[len(batches)-1].NextOffset()
		m := NewOffsetMap(1<<20, end)
		var txns Txns
		txns.Add(aborted...)
		f = &Filter{Map: m, Now: now, DeleteRetentionMs: day, End: end, Txns: Txns{Kept: func(AbortedTxn) { kept++ }}}
		f.Txns.Add(aborted...)
		var out []byte
		for _, b := range batches {
			if _, err := m.Add(b, &txns, 0); err != nil {
				t.Fatal(err)
			}
		}
		for _, b := range batches {
			out, _ = f.Rewrite(out, b)
		}
		log = out
		if got := tell(t, log); got != want || kept != index {
			t.Fatalf("at %d got %s and %d aborted, want %s and %d", now, got, kept, want, index)
		}
		if kept == 0 {
			aborted = nil
		}
	}
	step(1, "0:a=1 3:commit=true 4:commit=false 5:b=1 6:commit=true 7:z=1", 1)
	step(2, "0:a=1 3:commit=true 4:commit=false 5:b=1 6:commit=true 7:z=1", 0) // now its data is gone
	step(2+day, "0:a=1 3:commit=true 5:b=1 6:commit=true 7:z=1", 0)
}

// A map that is full compacts as far as it knows, and keeps the rest.
func TestFullMap(t *testing.T) {
	var log []byte
	for i := range 100 {
		log = append(log, batch(t, record.BuilderConfig{BaseOffset: int64(i)}, fmt.Sprintf("k%d=%d", i%50, i))...)
	}
	from, rounds := int64(0), 0
	for ; from < 100; rounds++ {
		var next int64
		log, next, _ = clean(t, log, cleaning{from: from, bytes: 24 * 20})
		if next <= from {
			t.Fatalf("no progress at %d", from)
		}
		from = next
	}
	if got := strings.Fields(tell(t, log)); len(got) != 50 || got[0] != "50:k0=50" || rounds < 5 {
		t.Errorf("after %d rounds %d records, first %s", rounds, len(got), got[0])
	}
}

// What lies beyond the map stays, whatever it is.
func TestBeyondTheMap(t *testing.T) {
	b := batch(t, record.BuilderConfig{DeleteHorizon: 1}, "a=1 a =x")
	f := &Filter{Map: NewOffsetMap(1<<10, 10), Now: 2 * day, End: 10}
	f.Map.SetLatest(0)
	out, err := f.Rewrite(nil, b)
	if err != nil || !bytes.Equal(out, b) {
		t.Errorf("%s is left, %v", tell(t, out), err)
	}
}

// Damage on the disk stops a cleaning; nonsense under a good checksum is kept as it is.
func TestDamage(t *testing.T) {
	b := batch(t, record.BuilderConfig{Codec: record.LZ4}, "- a=1")
	bad := slices.Clone(b)
	bad[len(bad)-1] ^= 1
	m := NewOffsetMap(1<<10, 10)
	f := &Filter{Map: m, End: 10}
	if _, err := m.Add(bad, new(Txns), 0); !errors.Is(err, record.ErrCorrupt) {
		t.Errorf("add: %v", err)
	}
	if out, err := f.Rewrite([]byte("x"), bad); !errors.Is(err, record.ErrCorrupt) || string(out) != "x" {
		t.Errorf("rewrite: %q, %v", out, err)
	}
	for what, change := range map[string]func(record.Batch){
		"broken stream":     func(b record.Batch) { b[record.HeaderLen] ^= 1 },
		"a count too large": func(b record.Batch) { b[60], b[26] = 9, 9 },
		"offsets beyond it": func(b record.Batch) { b[26] = 0 },
	} {
		odd := slices.Clone(b)
		change(odd)
		binary.BigEndian.PutUint32(odd[17:], crc32.Checksum(odd[21:], crc32.MakeTable(crc32.Castagnoli)))
		out, _, f := clean(t, append(slices.Clone(odd), batch(t, record.BuilderConfig{BaseOffset: 10}, "a=3")...), cleaning{})
		if !bytes.HasPrefix(out, odd) || f.Stats.Unreadable != 1 {
			t.Errorf("%s: it was not kept as it was: %+v", what, f.Stats)
		}
	}
}

// After any history of batches and cleanings each key has its last value, records stand
// where they stood, and a tombstone goes no sooner than its horizon.
func TestAnyHistory(t *testing.T) {
	for seed := range int64(40) {
		rng := rand.New(rand.NewSource(seed))
		var log []byte
		all := map[int64]string{}       // offset → word
		lastOf := map[string]int64{}    // key → offset
		firstKept := map[string]int64{} // tombstone's key → when it was first cleaned
		end, from, now := int64(0), int64(0), int64(1)
		for range 30 {
			for range 1 + rng.Intn(5) {
				var words []string
				for i := range 1 + rng.Intn(6) {
					key := fmt.Sprintf("k%d", rng.Intn(12))
					w := fmt.Sprintf("%s=%d", key, rng.Intn(1000))
					if rng.Intn(4) == 0 {
						w = key
					}
					words = append(words, w)
					all[end+int64(i)], lastOf[key] = w, end+int64(i)
				}
				log = append(log, batch(t, record.BuilderConfig{BaseOffset: end, Codec: record.Codec(rng.Intn(5))}, strings.Join(words, " "))...)
				end += int64(len(words))
			}
			now += rng.Int63n(day)
			log, from, _ = clean(t, log, cleaning{from: from, now: now, bytes: int64(24 * (20 + rng.Intn(30)))})
			left := map[int64]string{}
			for _, s := range strings.Fields(tell(t, log)) {
				if s[0] == '[' {
					continue
				}
				o, w, _ := strings.Cut(s, ":")
				var offset int64
				fmt.Sscan(o, &offset)
				left[offset] = w
				if all[offset] != w {
					t.Fatalf("seed %d: offset %d holds %s, was %s", seed, offset, w, all[offset])
				}
				key, _, _ := strings.Cut(w, "=")
				if offset < from && lastOf[key] < from && lastOf[key] != offset {
					t.Fatalf("seed %d: offset %d holds an old value of %s", seed, offset, key)
				}
			}
			for key, offset := range lastOf {
				mark := fmt.Sprint(key, offset)
				tombstone := all[offset] == key
				if left[offset] == "" && (!tombstone || firstKept[mark] == 0 || now < firstKept[mark]+day) {
					t.Fatalf("seed %d: %s at %d is lost at %d", seed, all[offset], offset, now)
				}
				if tombstone && firstKept[mark] == 0 {
					firstKept[mark] = now
				}
			}
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add([]byte(batch(f, record.BuilderConfig{}, "a=1 a=2 b")), int64(5), true)
	f.Add([]byte(batch(f, record.BuilderConfig{Codec: record.Zstd, ProducerID: 4}, "a=1 - a")), int64(5), false)
	f.Add([]byte(record.EndTxn(1, 1, record.EndTxnMarker{Commit: true}, 5)), int64(1), true)
	f.Fuzz(func(t *testing.T, bytes []byte, now int64, active bool) {
		b, _, err := record.Split(bytes)
		if err != nil || b.BaseOffset() < 0 || b.BaseOffset() > 1<<62 {
			return
		}
		binary.BigEndian.PutUint32(b[17:], b.Sum())
		m := NewOffsetMap(1<<12, 100)
		if _, err := m.Add(b, new(Txns), 0); err != nil {
			t.Fatal(err)
		}
		filter := &Filter{Map: m, Now: now, DeleteRetentionMs: day, LastOffset: func(int64) (int64, int16, bool) { return b.LastOffset(), 0, active }}
		out, err := filter.Rewrite(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		if len(out) == 0 {
			return
		}
		kept, rest, err := record.Split(out)
		if err != nil || len(rest) > 0 || kept.Verify() != nil || kept.BaseOffset() != b.BaseOffset() || kept.LastOffset() != b.LastOffset() {
			t.Fatalf("%v, %d bytes left, offsets [%d, %d]", err, len(rest), kept.BaseOffset(), kept.LastOffset())
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	builder := record.NewBuilder(record.BuilderConfig{})
	for i := range 1000 {
		builder.Append(record.Record{Key: fmt.Appendf(nil, "key-%d", i), Value: make([]byte, 100)})
	}
	one, _ := builder.Build()
	m := NewOffsetMap(1<<20, 10_000)
	b.SetBytes(int64(len(one)))
	b.ReportAllocs()
	for b.Loop() {
		if full, err := m.Add(one, new(Txns), 0); full || err != nil {
			b.Fatal(full, err)
		}
	}
}

func BenchmarkRewrite(b *testing.B) {
	for _, codec := range []record.Codec{record.None, record.LZ4} {
		b.Run(codec.String(), func(b *testing.B) {
			builder := record.NewBuilder(record.BuilderConfig{Codec: codec})
			for i := range 1000 {
				builder.Append(record.Record{Key: fmt.Appendf(nil, "key-%d", i%500), Value: make([]byte, 100)})
			}
			one, _ := builder.Build()
			m := NewOffsetMap(1<<20, 10_000)
			_, _ = m.Add(one, new(Txns), 0)
			f := &Filter{Map: m, End: 1 << 40}
			b.SetBytes(int64(len(one)))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				var err error
				if out, err = f.Rewrite(out[:0], one); err != nil || len(out) == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}
