package commitlog

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
)

// The epochs of what a log has lost are told, also after it was opened again, until it is
// said that nothing is lost.
func TestLostEpochs(t *testing.T) {
	mem := newMem(t)
	o := testOptions(mem, testConfig())
	l := must[*Log](t)(Open(o))
	for epoch := range int32(4) {
		must[Appended](t)(l.AppendLeader(plain(10, 10, 1000), epoch, Client))
	}
	if _, err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	size := l.Size()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f := must[vfs.File](t)(mem.OpenFile(testDir+"/"+fileName(0, logExt), os.O_RDWR, 0))
	if err := errors.Join(f.Truncate(size/2), f.Close()); err != nil {
		t.Fatal(err)
	}
	o.RecoveryPoint, o.Clean = 40, false
	for _, tc := range []struct {
		had    int64
		latest int32 // what somebody else knows
		want   int32
	}{{40, model.NoEpoch, 3}, {30, model.NoEpoch, 2}, {40, 7, 7}, {40, model.NoEpoch, 7}, {0, model.NoEpoch, model.NoEpoch}, {40, model.NoEpoch, 1}} {
		l := must[*Log](t)(Open(o))
		if l.End() != 20 || l.LatestEpoch() != 1 {
			t.Fatalf("it ends at %d in epoch %d", l.End(), l.LatestEpoch())
		}
		if got := l.Lost(tc.had, tc.latest); got != tc.want {
			t.Errorf("it reached %d: epoch %d is lost, want %d", tc.had, got, tc.want)
		}
		if tc.had == 30 {
			l.Lost(40, model.NoEpoch)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A log that has lost its end, and has got it again from others, is compacted from there on:
// what came again was never compacted here. A tombstone would go at last, and leave what it
// deleted.
func TestCompactWhatWasLost(t *testing.T) {
	c := testConfig()
	c.Compact, c.Delete, c.MinCleanableRatio, c.DeleteRetentionMs = true, false, 0, 1000
	o := testOptions(newMem(t), c)
	l := must[*Log](t)(Open(o))
	add := func(key string, value []byte) {
		b := record.NewBuilder(record.BuilderConfig{})
		b.Append(record.Record{Timestamp: 1000, Key: []byte(key), Value: value})
		must[Appended](t)(l.AppendLeader(must[record.Batch](t)(b.Build()), 0, Client))
	}
	add("a", []byte("1"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o.FirstDirty = 3 // it was longer once
	l = must[*Log](t)(Open(o))
	add("k", []byte("2"))
	add("k", nil)
	for i, now := range []int64{2000, 4000} {
		add("b", []byte{byte(i)})
		if err := l.Roll(); err != nil {
			t.Fatal(err)
		}
		if done, err := l.Compact(l.End(), time.UnixMilli(now)); err != nil || !done.Ran {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	var left []string
	for b, err := range Batches(readAll(t, l, 0, 1000)) {
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range b.Records(record.Limits{}) {
			if err != nil {
				t.Fatal(err)
			}
			left = append(left, string(r.Key))
		}
	}
	if !slices.Equal(left, []string{"a", "b"}) {
		t.Errorf("keys %q are left, want a and b: k was deleted", left)
	}
}

// A log that was cut while it was compacted is not taken for compacted beyond its end.
func TestCompactedToTheEnd(t *testing.T) {
	l := must[*Log](t)(Open(testOptions(newMem(t), testConfig())))
	if l.compactedTo(7); l.FirstDirty() != l.End() {
		t.Errorf("the log ends at %d and is dirty from %d on", l.End(), l.FirstDirty())
	}
}
