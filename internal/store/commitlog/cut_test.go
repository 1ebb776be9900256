package commitlog

import (
	"slices"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
)

// A crash right after a truncation leaves a checkpoint with the epochs of what is gone.
// They do not outlive the next sync: a later start would take the records that stand there
// now for damaged, and cut off what was acknowledged.
func TestEpochsOfTruncatedRecords(t *testing.T) {
	mem := newMem(t)
	o := testOptions(mem, testConfig())
	l := mustOpen(t, o)
	appendAll(t, l, 4, plain(3, 10, 1))
	appendAll(t, l, 6, plain(3, 10, 2))
	must[int64](t)(l.Sync())
	must[int64](t)(l.BeginCut(3))
	o.RecoveryPoint = l.RecoveryPoint()
	if err := l.TruncateTo(3); err != nil || o.RecoveryPoint != 3 {
		t.Fatalf("recovery point %d, %v", o.RecoveryPoint, err)
	}

	mem = mem.Crash(newRand(1))
	o.FS = mem
	l = mustOpen(t, o)
	b := plain(2, 10, 3)
	b.Stamp(3, 4) // the leader wrote more in epoch 4
	must[Appended](t)(l.AppendFollower(b))
	o.RecoveryPoint = must[int64](t)(l.Sync())

	o.FS = mem.Crash(newRand(2))
	l = mustOpen(t, o)
	if got, want := offsetsOf(t, readAll(t, l, 0, 1<<20)), []string{"0-3/4", "3-5/4"}; !slices.Equal(got, want) {
		t.Errorf("the log has %v, want %v", got, want)
	}
}

// A snapshot of producers beyond a cut does not come back by a crash: the log may have
// grown to its offset again, by other records.
func TestSnapshotBeyondCut(t *testing.T) {
	of := func(producer int64) record.Batch {
		b := record.NewBuilder(record.BuilderConfig{ProducerID: producer})
		b.Append(record.Record{Timestamp: 1, Value: []byte("v")})
		return must[record.Batch](t)(b.Build())
	}
	for seed := range uint64(20) {
		mem := newMem(t)
		l := mustOpen(t, testOptions(mem, testConfig()))
		appendAll(t, l, 1, of(7), of(8), of(9))
		if err := l.Roll(); err != nil { // takes a snapshot
			t.Fatal(err)
		}
		must[int64](t)(l.Sync())
		if err := l.TruncateTo(1); err != nil {
			t.Fatal(err)
		}
		journaled := appendAll(t, l, 2, of(10), of(11))
		l = mustOpen(t, testOptions(mem.Crash(newRand(seed)), testConfig()))
		for i, b := range journaled {
			if err := l.Replay(int64(1+i), b); err != nil {
				t.Fatal(err)
			}
		}
		var ids []int64
		for _, e := range must[[]producers.Entry](t)(l.Producers()) {
			ids = append(ids, e.ProducerID)
		}
		if want := []int64{7, 10, 11}; !slices.Equal(ids, want) {
			t.Fatalf("seed %d: producers %v, want %v", seed, ids, want)
		}
	}
}

// BeginCut says where TruncateTo will leave the end, and keeps the recovery point below
// until then, whoever syncs meanwhile.
func TestBeginCut(t *testing.T) {
	for offset, want := range map[int64]int64{0: 0, 2: 0, 3: 3, 4: 3, 6: 6, 100: 60, 120: 60} {
		l := mustOpen(t, testOptions(newMem(t), testConfig()))
		for i := range 20 {
			appendAll(t, l, 1, plain(3, 200, int64(i)))
		}
		must[int64](t)(l.Sync())
		end := must[int64](t)(l.BeginCut(offset))
		appendAll(t, l, 1, plain(3, 10, 1))
		must[int64](t)(l.Sync())
		if end != want || l.RecoveryPoint() > end {
			t.Errorf("BeginCut(%d) = %d, want %d; recovery point %d", offset, end, want, l.RecoveryPoint())
		}
		l.CancelCut()
		if must[int64](t)(l.Sync()); l.RecoveryPoint() != l.End() {
			t.Errorf("after CancelCut the recovery point is %d, the end %d", l.RecoveryPoint(), l.End())
		}
		must[int64](t)(l.BeginCut(offset))
		if err := l.TruncateTo(end); err != nil || l.End() != end && offset < 60 {
			t.Errorf("truncated to %d it ends at %d: %v", end, l.End(), err)
		}
		appendAll(t, l, 1, plain(1, 10, 1))
		if must[int64](t)(l.Sync()); l.RecoveryPoint() != l.End() {
			t.Errorf("after the cut the recovery point is %d, the end %d", l.RecoveryPoint(), l.End())
		}
	}
}

// What comes in place of what is cut off is compacted, though a crash comes before the cut
// is done, or after: the host writes down where compaction goes on when the cut begins.
func TestCutBelowWhatIsCompacted(t *testing.T) {
	c := testConfig()
	c.Compact, c.Delete, c.MinCleanableRatio = true, false, 0
	l := mustOpen(t, testOptions(newMem(t), c))
	for _, key := range []string{"a", "b", "c"} {
		b := record.NewBuilder(record.BuilderConfig{})
		b.Append(record.Record{Timestamp: 1, Key: []byte(key), Value: []byte("v")})
		must[Appended](t)(l.AppendLeader(must[record.Batch](t)(b.Build()), 0, Client))
	}
	if err := l.Roll(); err != nil {
		t.Fatal(err)
	}
	if done, err := l.Compact(3, time.UnixMilli(1000)); err != nil || !done.Ran || l.FirstDirty() != 3 {
		t.Fatalf("%+v, %v, first dirty %d", done, err, l.FirstDirty())
	}
	if end, err := l.BeginCut(2); err != nil || end != 2 || l.FirstDirty() != 2 {
		t.Errorf("a cut at %d begins, %v: first dirty %d, want 2", end, err, l.FirstDirty())
	}
	if err := l.TruncateTo(2); err != nil || l.FirstDirty() != 2 {
		t.Errorf("after the cut, %v: first dirty %d, want 2", err, l.FirstDirty())
	}
}

// A start that was raised is written down by the host, and the epochs by the log: a crash in
// between leaves records whose epoch nothing told, until the next start reads it from them.
func TestEpochsOutliveTheStart(t *testing.T) {
	for _, raised := range []int64{2, 4, 7, 9} {
		mem := newMem(t)
		o := testOptions(mem, testConfig())
		l := mustOpen(t, o)
		appendAll(t, l, 2, plain(3, 10, 1))
		appendAll(t, l, 5, plain(3, 10, 2))
		appendAll(t, l, 6, plain(3, 10, 3))
		must[int64](t)(l.Sync())
		if err := l.AdvanceStart(raised); err != nil {
			t.Fatal(err)
		}
		o.RecoveryPoint = must[int64](t)(l.Sync())

		o.FS, o.Start = mem.Crash(newRand(1)), 1
		l = mustOpen(t, o)
		for at, want := range []int32{-1, 2, 2, 5, 5, 5, 6, 6, 6} {
			if got := l.EpochAt(int64(at)); got != want {
				t.Errorf("start raised to %d: the epoch at %d is %d, want %d", raised, at, got, want)
			}
		}
	}
}
