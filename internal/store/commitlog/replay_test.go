package commitlog

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
)

// keyed builds a batch with one record of a key.
func keyed(t *testing.T, key string, size int) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderConfig{})
	b.Append(record.Record{Timestamp: 1000, Key: []byte(key), Value: bytes.Repeat([]byte{'v'}, size)})
	return must[record.Batch](t)(b.Build())
}

// appendAll appends batches in an epoch and returns their bytes as they were stamped.
func appendAll(t *testing.T, l *Log, epoch int32, batches ...record.Batch) (stamped [][]byte) {
	t.Helper()
	for _, b := range batches {
		must[Appended](t)(l.AppendLeader(b, epoch, Client))
		stamped = append(stamped, slices.Clone([]byte(b)))
	}
	return stamped
}

// What a journal has of records that were compacted or deleted since does not come back,
// and takes nothing with it, however old the recovery point that a crash left. The last
// batch was too large for the journal: only the log has it.
func TestReplayAfterCompaction(t *testing.T) {
	mem := newMem(t)
	c := testConfig()
	c.Compact, c.Delete, c.MinCleanableRatio = true, false, 0.01
	l := mustOpen(t, testOptions(mem, c))
	appendAll(t, l, 2, keyed(t, "old", 10))
	journaled := appendAll(t, l, 3, keyed(t, "a", 10), keyed(t, "b", 10), keyed(t, "a", 11))
	appendAll(t, l, 3, keyed(t, "big", 2000))
	if err := l.Roll(); err != nil {
		t.Fatal(err)
	}
	if done := must[Compacted](t)(l.Compact(l.End(), time.Now())); done.After >= done.Before {
		t.Fatalf("nothing was compacted: %+v", done)
	}
	want := readAll(t, l, 0, 1<<20)
	must[int64](t)(l.Sync())

	l = mustOpen(t, testOptions(mem.Crash(newRand(1)), c)) // the recovery point is lost
	for i, b := range journaled {
		if err := l.Replay(int64(i)+1, b); err != nil {
			t.Fatal(err)
		}
	}
	if l.End() != 5 {
		t.Errorf("the log ends at %d, want 5", l.End())
	}
	if got := readAll(t, l, 0, 1<<20); !bytes.Equal(got, want) {
		t.Errorf("the log has %v, want %v", offsetsOf(t, got), offsetsOf(t, want))
	}
}

func TestReplayAfterRetention(t *testing.T) {
	mem := newMem(t)
	c := testConfig()
	c.RetentionMs, c.RetentionBytes = -1, 0
	l := mustOpen(t, testOptions(mem, c))
	journaled := appendAll(t, l, 3, keyed(t, "a", 10), keyed(t, "b", 10))
	if n := must[int](t)(l.Retain(2, time.Now())); n != 1 {
		t.Fatalf("%d segments were deleted", n)
	}
	appendAll(t, l, 3, keyed(t, "big", 2000))
	must[int64](t)(l.Sync())
	l = mustOpen(t, testOptions(mem.Crash(newRand(1)), c))
	for i, b := range journaled {
		if err := l.Replay(int64(i), b); err != nil {
			t.Fatal(err)
		}
	}
	if l.Start() != 2 || l.End() != 3 {
		t.Errorf("the log is [%d, %d), want [2, 3)", l.Start(), l.End())
	}
}

// Where the log has records of an older epoch, the journal's are those that count.
func TestReplayOverOlderEpoch(t *testing.T) {
	mem := newMem(t)
	l := mustOpen(t, testOptions(mem, testConfig()))
	appendAll(t, l, 3, keyed(t, "a", 10), keyed(t, "b", 10), keyed(t, "c", 10))
	newer := keyed(t, "d", 10)
	newer.Stamp(1, 4)
	if err := l.Replay(1, newer); err != nil {
		t.Fatal(err)
	}
	if got := offsetsOf(t, readAll(t, l, 0, 1<<20)); !slices.Equal(got, []string{"0-1/3", "1-2/4"}) {
		t.Errorf("the log has %v", got)
	}
}

// No checksum covers the epoch of a batch. One that has rotted, so that the log ends before
// the next, must not keep the journal out for ever: the log ends before the rotten batch.
func TestReplayAfterRottenEpoch(t *testing.T) {
	mem := newMem(t)
	o := testOptions(mem, testConfig())
	l := mustOpen(t, o)
	journaled := appendAll(t, l, 2, keyed(t, "a", 10), keyed(t, "b", 10), keyed(t, "c", 10))
	must[int64](t)(l.Sync())
	mem = mem.Crash(newRand(1))
	epochOfB := int64(len(journaled[0])+12) * 8
	if err := mem.Rot(filepath.Join(o.Dir, fileName(0, logExt)), epochOfB+16); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, testOptions(mem, testConfig()))
	if l.End() != 2 || l.LatestEpoch() <= 2 {
		t.Fatalf("the log ends at %d and has had epoch %d", l.End(), l.LatestEpoch())
	}
	for i, b := range journaled {
		err := l.Replay(int64(i), b)
		if want := i == 2; errors.Is(err, ErrUnexpectedOffset) != want || err != nil && !want {
			t.Errorf("replay of %d: %v", i, err)
		}
	}
	if l.End() != 1 || l.LatestEpoch() != 2 {
		t.Errorf("the log ends at %d and has had epoch %d, want 1 and 2", l.End(), l.LatestEpoch())
	}
	for i, b := range journaled {
		if err := l.Replay(int64(i), b); err != nil {
			t.Errorf("replay of %d, again: %v", i, err)
		}
	}
	if got := offsetsOf(t, readAll(t, l, 0, 1<<20)); !slices.Equal(got, []string{"0-1/2", "1-2/2", "2-3/2"}) {
		t.Errorf("the log has %v", got)
	}
}

// A log that is cut for a rotten epoch starts no earlier than it did, though nothing of it is
// left.
func TestReplayAfterRottenEpochKeepsTheStart(t *testing.T) {
	l := mustOpen(t, testOptions(newMem(t), testConfig()))
	appendAll(t, l, 5, plain(3, 10, 1), plain(3, 10, 4))
	if err := l.AdvanceStart(4); err != nil {
		t.Fatal(err)
	}
	b := plain(3, 10, 7)
	b.Stamp(6, 3)
	if err := l.Replay(6, b); !errors.Is(err, ErrUnexpectedOffset) || l.Start() != 4 || l.End() != 4 {
		t.Errorf("%v, the log is [%d, %d), want [4, 4)", err, l.Start(), l.End())
	}
}

// A log start that lies within a batch of the journal stays where it is, though the log has
// to begin with that batch: what was deleted does not come back.
func TestReplayKeepsTheStart(t *testing.T) {
	b := record.NewBuilder(record.BuilderConfig{})
	for i := range int64(3) {
		b.Append(record.Record{Offset: i, Timestamp: 1000, Value: []byte("v")})
	}
	journaled := appendAll(t, mustOpen(t, testOptions(newMem(t), testConfig())), 3, must[record.Batch](t)(b.Build()))
	o := testOptions(newMem(t), testConfig())
	o.Start = 2 // a checkpoint has it, and the crash took the segment
	l := mustOpen(t, o)
	if err := l.Replay(0, journaled[0]); err != nil {
		t.Fatal(err)
	}
	if l.Start() != 2 || l.End() != 3 {
		t.Errorf("the log is [%d, %d), want [2, 3)", l.Start(), l.End())
	}
}
