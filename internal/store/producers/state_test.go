package producers

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"math/rand"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// data makes a batch of n records of a producer at an offset.
func data(t testing.TB, id int64, epoch int16, seq int32, n int, offset int64, txn bool) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderConfig{BaseOffset: offset, ProducerID: id, ProducerEpoch: epoch, BaseSequence: seq,
		Idempotent: true, Transactional: txn})
	for range n {
		b.Append(record.Record{Timestamp: 1000 + offset, Value: []byte("v")})
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func marker(id int64, epoch int16, commit bool, coordinator int32, offset int64) record.Batch {
	b := record.EndTxn(id, epoch, record.EndTxnMarker{Commit: commit, CoordinatorEpoch: coordinator}, 1000+offset)
	b.Stamp(offset, 0)
	return b
}

// step is a batch that a leader is asked to append at the end: ok, a duplicate of an
// offset, or an error.
type step struct {
	epoch int16
	seq   int32
	n     int
	want  error
	dup   int64 // base offset + 1 of the batch it repeats
}

// A producer's life, batch by batch.
func TestSequences(t *testing.T) {
	for name, steps := range map[string][]step{
		"in order":       {{0, 0, 3, nil, 0}, {0, 3, 1, nil, 0}, {0, 4, 2, nil, 0}},
		"any first":      {{0, 77, 1, nil, 0}, {0, 78, 1, nil, 0}},
		"a gap":          {{0, 0, 3, nil, 0}, {0, 4, 1, kerr.OutOfOrderSequenceNumber, 0}, {0, 3, 1, nil, 0}},
		"a step back":    {{0, 0, 3, nil, 0}, {0, 3, 3, nil, 0}, {0, 1, 1, kerr.OutOfOrderSequenceNumber, 0}},
		"repeated":       {{0, 0, 3, nil, 0}, {0, 0, 3, nil, 1}, {0, 3, 1, nil, 0}, {0, 0, 3, nil, 1}, {0, 3, 1, nil, 4}},
		"another length": {{0, 0, 3, nil, 0}, {0, 0, 2, kerr.OutOfOrderSequenceNumber, 0}},
		"five are known": {{0, 0, 1, nil, 0}, {0, 1, 1, nil, 0}, {0, 2, 1, nil, 0}, {0, 3, 1, nil, 0}, {0, 4, 1, nil, 0}, {0, 0, 1, nil, 1}, {0, 5, 1, nil, 0}, {0, 1, 1, nil, 2}, {0, 0, 1, kerr.OutOfOrderSequenceNumber, 0}},
		"wrap":           {{0, math.MaxInt32 - 1, 2, nil, 0}, {0, 0, 1, nil, 0}, {0, math.MaxInt32 - 1, 2, nil, 1}},
		"wrap inside":    {{0, math.MaxInt32, 3, nil, 0}, {0, 2, 1, nil, 0}, {0, math.MaxInt32, 3, nil, 1}},
		"new epoch":      {{0, 5, 1, nil, 0}, {1, 6, 1, kerr.OutOfOrderSequenceNumber, 0}, {1, 0, 1, nil, 0}, {1, 1, 1, nil, 0}},
		"old epoch":      {{3, 0, 1, nil, 0}, {2, 1, 1, kerr.InvalidProducerEpoch, 0}, {2, 0, 1, kerr.InvalidProducerEpoch, 0}},
		"epoch forgets":  {{0, 0, 1, nil, 0}, {1, 0, 1, nil, 0}, {0, 0, 1, kerr.InvalidProducerEpoch, 0}, {1, 0, 1, nil, 2}},
	} {
		var s State
		end := int64(0)
		for i, st := range steps {
			b := data(t, 7, st.epoch, st.seq, st.n, 0, false)
			v, err := s.Check(b, Client, Guard{})
			if !errors.Is(err, st.want) || v.Duplicate != (st.dup > 0) {
				t.Fatalf("%s, step %d: %+v, %v; want %v, duplicate of %d", name, i, v, err, st.want, st.dup-1)
			}
			if v.Duplicate && (v.Base != st.dup-1 || v.Last != v.Base+int64(st.n)-1 || v.Timestamp != 1000+v.Base) {
				t.Fatalf("%s, step %d: duplicate %+v", name, i, v)
			}
			if err != nil || v.Duplicate {
				continue
			}
			s.Apply(data(t, 7, st.epoch, st.seq, st.n, end, false))
			end += int64(st.n)
		}
		if s.End() != end {
			t.Errorf("%s: end is %d, want %d", name, s.End(), end)
		}
	}
}

// A coordinator's own batches are held to epochs alone, a stranger's to nothing.
func TestOrigins(t *testing.T) {
	var s State
	s.Apply(data(t, 7, 2, 0, 1, 0, false))
	if _, err := s.Check(data(t, 7, 2, 9, 1, 0, false), Coordinator, Guard{}); err != nil {
		t.Error(err)
	}
	if _, err := s.Check(data(t, 7, 1, 1, 1, 0, false), Coordinator, Guard{}); !errors.Is(err, kerr.InvalidProducerEpoch) {
		t.Error(err)
	}
	plain := record.NewBuilder(record.BuilderConfig{})
	plain.Append(record.Record{})
	b, _ := plain.Build()
	if _, err := s.Check(b, Client, Guard{}); err != nil || s.Apply(b).Ended || s.Len() != 1 {
		t.Errorf("a batch without producer: %v, %d producers", err, s.Len())
	}
}

// Transactions begin with their first batch and end with a marker; what is unstable
// follows the high watermark.
func TestTransactions(t *testing.T) {
	var s State
	unstable := func(hw, want int64) {
		t.Helper()
		got, ok := s.FirstUnstable(hw)
		if ok != (want >= 0) || ok && got != want {
			t.Fatalf("first unstable offset at high watermark %d is %d %v, want %d", hw, got, ok, want)
		}
	}
	s.Apply(data(t, 1, 0, 0, 2, 0, true))
	s.Apply(data(t, 2, 0, 0, 1, 2, true))
	s.Apply(data(t, 1, 0, 2, 1, 3, true))
	unstable(4, 0)
	if !s.Ongoing(1, 0) || s.Ongoing(1, 1) || s.Ongoing(3, 0) {
		t.Error("ongoing transactions are wrong")
	}
	if _, err := s.Check(data(t, 1, 0, 3, 1, 0, false), Client, Guard{}); !errors.Is(err, kerr.InvalidTxnState) {
		t.Errorf("a plain batch in a transaction: %v", err)
	}

	if got, want := s.Apply(marker(1, 0, false, 5, 4)), (Applied{Ended: true, ProducerID: 1, First: 0, Marker: 4, Aborted: true, LastStable: 2}); got != want {
		t.Errorf("abort: %+v, want %+v", got, want)
	}
	unstable(4, 0) // the marker is not replicated
	unstable(5, 2)
	if got, want := s.Apply(marker(2, 0, true, 5, 5)), (Applied{Ended: true, ProducerID: 2, First: 2, Marker: 5, LastStable: 6}); got != want {
		t.Errorf("commit: %+v, want %+v", got, want)
	}
	unstable(5, 2)
	unstable(6, -1)

	if got := s.Apply(marker(2, 0, true, 5, 6)); got.Ended {
		t.Errorf("a marker without transaction: %+v", got)
	}
	if _, err := s.Check(data(t, 2, 0, 1, 1, 0, true), Client, Unverified); err != nil {
		t.Errorf("sequences go on after a marker of the same epoch: %v", err)
	}
	s.Apply(marker(2, 1, true, 5, 7))
	if _, err := s.Check(data(t, 2, 1, 1, 1, 0, true), Client, Unverified); !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		t.Errorf("after a marker of a new epoch sequences start at 0: %v", err)
	}
	if _, err := s.Check(data(t, 2, 0, 1, 1, 0, true), Client, Unverified); !errors.Is(err, kerr.InvalidProducerEpoch) {
		t.Errorf("a late write after the epoch was raised: %v", err)
	}
}

func TestCheckMarker(t *testing.T) {
	var s State
	s.Apply(data(t, 1, 3, 0, 1, 0, true))
	s.Apply(data(t, 2, 3, 0, 1, 1, true))
	s.Apply(marker(2, 4, true, 9, 2))
	for _, c := range []struct {
		what    string
		b       record.Batch
		version int16
		want    error
	}{
		{"unknown producer", marker(8, 0, true, 0, 0), 2, nil},
		{"same epoch, version 1", marker(1, 3, true, 0, 0), 1, nil},
		{"same epoch, version 2", marker(1, 3, true, 0, 0), 2, kerr.InvalidProducerEpoch},
		{"raised epoch, version 2", marker(1, 4, true, 0, 0), 2, nil},
		{"lower epoch", marker(1, 2, true, 0, 0), 0, kerr.InvalidProducerEpoch},
		{"again, version 2", marker(2, 4, true, 9, 0), 2, nil},
		{"old coordinator", marker(2, 4, true, 8, 0), 2, kerr.TransactionCoordinatorFenced},
		{"no marker", data(t, 1, 4, 0, 1, 0, true), 2, kerr.CorruptMessage},
	} {
		if err := s.CheckMarker(c.b, c.version); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
}

// Idle producers go, those in a transaction stay, and those that went may come back with
// any sequence.
func TestExpire(t *testing.T) {
	var s State
	s.Apply(data(t, 1, 0, 0, 1, 0, false))
	s.Apply(data(t, 2, 0, 0, 1, 1, true))
	s.Apply(data(t, 3, 0, 0, 1, 500, false))
	if n := s.Expire(1100, 101); n != 0 {
		t.Fatalf("%d expired too early", n)
	}
	if n := s.Expire(1100, 100); n != 1 || s.Len() != 2 {
		t.Fatalf("%d expired, %d left", n, s.Len())
	}
	if _, err := s.Check(data(t, 1, 0, 9, 1, 0, false), Client, Guard{}); err != nil {
		t.Error(err)
	}
	s.Apply(marker(2, 0, true, 0, 501))
	if n := s.Expire(1<<40, 100); n != 2 || s.Len() != 0 {
		t.Errorf("%d expired, %d left", n, s.Len())
	}
}

// A snapshot is, byte for byte, the one that Kafka 4.2.1 writes of the same producers.
// record/testdata/Golden.java has made the file.
func TestAgainstKafka(t *testing.T) {
	want, err := os.ReadFile("testdata/kafka.snapshot")
	if err != nil {
		t.Fatal(err)
	}
	var s State
	s.Apply(data(t, 5, 2, 7, 3, 100, true))
	s.Apply(marker(6, 1, false, 4, 103))
	if got := s.Snapshot(); !bytes.Equal(got, want) {
		t.Fatalf("got\n%x, want\n%x", got, want)
	}
	var kafkas State
	if err := kafkas.Load(want, 104); err != nil || kafkas.End() != 104 || !kafkas.Ongoing(5, 2) {
		t.Fatalf("%v, end %d", err, kafkas.End())
	}
	if diff := cmp.Diff(kafkas.Entries(), s.Entries()); diff != "" {
		t.Error(diff)
	}
}

// What a snapshot holds is all that decisions need: after any history the loaded state
// says what the state itself says.
func TestSnapshotOfAnyHistory(t *testing.T) {
	for seed := range int64(200) {
		rng := rand.New(rand.NewSource(seed))
		var s State
		history(t, rng, &s, 60)
		var loaded State
		if err := loaded.Load(s.Snapshot(), s.End()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(loaded.Snapshot(), s.Snapshot()) || loaded.End() != s.End() {
			t.Fatalf("seed %d: a snapshot of the snapshot differs", seed)
		}
		for range 200 {
			b := data(t, rng.Int63n(4), int16(rng.Intn(3)), int32(rng.Intn(40)), 1+rng.Intn(3), 0, rng.Intn(2) == 0)
			v1, err1 := s.Check(b, Client, Guard{})
			v2, err2 := loaded.Check(b, Client, Guard{})
			if v1 != v2 || (err1 == nil) != (err2 == nil) {
				t.Fatalf("seed %d: %+v %v before, %+v %v after", seed, v1, err1, v2, err2)
			}
		}
	}
}

// history appends n random batches and markers that a leader would let in.
func history(t testing.TB, rng *rand.Rand, s *State, n int) {
	next := map[int64]int32{}
	epochs := map[int64]int16{}
	for range n {
		id := rng.Int63n(4)
		switch {
		case rng.Intn(10) == 0:
			s.Apply(marker(id, epochs[id], rng.Intn(2) == 0, int32(rng.Intn(3)), s.End()))
			continue
		case rng.Intn(15) == 0:
			epochs[id]++
			next[id] = 0
		}
		count := 1 + rng.Intn(3)
		b := data(t, id, epochs[id], next[id], count, s.End(), s.Ongoing(id, epochs[id]) || rng.Intn(2) == 0)
		if v, err := s.Check(b, Client, Guard{}); err == nil && !v.Duplicate {
			s.Apply(b)
			next[id] += int32(count)
		}
	}
}

func TestCorruptSnapshots(t *testing.T) {
	var s State
	s.Apply(data(t, 5, 2, 7, 3, 100, true))
	good := s.Snapshot()
	for n := range good {
		if err := new(State).Load(good[:n], 0); !errors.Is(err, ErrCorruptSnapshot) {
			t.Errorf("cut at %d: %v", n, err)
		}
		bad := bytes.Clone(good)
		bad[n] ^= 0x10
		if err := s.Load(bad, 0); !errors.Is(err, ErrCorruptSnapshot) || s.End() != 103 {
			t.Errorf("byte %d changed: %v, end %d", n, err, s.End())
		}
	}
	claim := bytes.Clone(good)
	binary.BigEndian.PutUint32(claim[6:], math.MaxUint32)
	binary.BigEndian.PutUint32(claim[2:], crc32.Checksum(claim[6:], castagnoli))
	if err := new(State).Load(claim, 0); !errors.Is(err, ErrCorruptSnapshot) {
		t.Errorf("a count beyond the bytes: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	var s State
	s.Apply(data(f, 5, 2, 7, 3, 100, true))
	s.Apply(data(f, 5, 2, 10, 3, 103, true))
	f.Add(s.Snapshot())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 6 {
			binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[6:], castagnoli))
		}
		var s State
		if s.Load(b, 0) == nil {
			if err := new(State).Load(s.Snapshot(), 0); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkCheckAndApply(b *testing.B) {
	var s State
	batches := make([]record.Batch, 1000)
	for i := range batches {
		batches[i] = data(b, int64(i), 0, 0, 1, int64(i), false)
		s.Apply(batches[i])
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		one := batches[i%1000]
		if _, err := s.Check(one, Client, Guard{}); err != nil {
			b.Fatal(err)
		}
		s.Apply(one)
	}
}

func BenchmarkHundredThousandProducers(b *testing.B) {
	one := data(b, 1, 0, 0, 1, 0, false)
	b.ReportAllocs()
	for b.Loop() {
		var s State
		for i := range 500_000 {
			binary.BigEndian.PutUint64(one[43:], uint64(i%100_000))
			s.Apply(one)
		}
	}
}
