package commitlog

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A bit turns in the leader epoch of a batch, at whatever place of the log's tail: where the
// epoch cannot be, that batch is condemned, and only that one; the others are read, records
// of the next epoch can be written, and what the journal has mends it.
func TestRotOfEpoch(t *testing.T) {
	for _, clean := range []bool{true, false} {
		for victim := range int64(4) {
			for _, bit := range []int64{0, 6, 16, 31} { // counted from the lowest
				t.Run(fmt.Sprintf("clean %v, batch %d, bit %d", clean, victim, bit), func(t *testing.T) {
					mem := newMem(t)
					o := testOptions(mem, testConfig())
					l := mustOpen(t, o)
					journaled := appendAll(t, l, 2, keyed(t, "a", 10))
					journaled = append(journaled, appendAll(t, l, 5, keyed(t, "b", 10), keyed(t, "c", 10), keyed(t, "d", 10))...)
					if clean {
						if err := l.Close(); err != nil {
							t.Fatal(err)
						}
					}
					must[int64](t)(l.Sync())
					mem = mem.Crash(newRand(1))
					epoch := victim*int64(len(journaled[0])) + 12
					if err := mem.Rot(filepath.Join(o.Dir, fileName(0, logExt)), 8*(epoch+3-bit/8)+bit%8); err != nil {
						t.Fatal(err)
					}
					o = testOptions(mem, testConfig())
					o.Clean, o.RecoveryPoint, o.Epochs = clean, 4, 8
					l = mustOpen(t, o)
					if l.End() != 4 || l.LatestEpoch() != 5 {
						t.Fatalf("the log ends at %d and has had epoch %d", l.End(), l.LatestEpoch())
					}
					if victim == 0 && bit == 0 {
						return // 3 instead of 2, which could be
					}
					if c := l.Condemned(); len(c) != 1 || c[0].Offset != victim || c[0].Next != victim+1 {
						t.Fatalf("condemned: %+v", c)
					}
					must[Appended](t)(l.AppendLeader(keyed(t, "e", 10), 6, Client))
					for at := range int64(5) {
						s, err := l.Read(at, at+1, 1<<20, true)
						if bad := errors.Is(err, kerr.CorruptMessage); bad != (at == victim) || err != nil && !bad {
							t.Errorf("read at %d: %v", at, err)
						}
						s.Release()
					}
					// 4 instead of 5, after 2, is what a scrub cannot tell; and of 4 after 5 it does not
					// know which is wrong.
					if found, _ := verifyAll(t, l); bit != 0 && len(found) != 1 || victim > 1 && len(found) == 0 {
						t.Errorf("a scrub finds %+v", found)
					}
					must[int64](t)(l.Sync())
					for i, b := range journaled {
						if err := l.Replay(int64(i), b); err != nil {
							t.Fatal(err)
						}
					}
					if c := l.Condemned(); len(c) > 0 && bit != 0 {
						t.Fatalf("condemned when it is mended: %+v", c)
					}
					if l.RecoveryPoint() > victim {
						t.Errorf("what was mended counts as durable: up to %d", l.RecoveryPoint())
					}
				})
			}
		}
	}
}

// The checkpoint tells of an epoch that never was: it is made anew from the batches.
func TestEpochCheckpointTellsTooMuch(t *testing.T) {
	mem := newMem(t)
	o := testOptions(mem, testConfig())
	l := mustOpen(t, o)
	appendAll(t, l, 2, keyed(t, "a", 10))
	appendAll(t, l, 5, keyed(t, "b", 10))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := vfs.WriteFileDurable(mem, filepath.Join(o.Dir, epochsName), epochs{{2, 0}, {7, 1}}.text(), 0o644); err != nil {
		t.Fatal(err)
	}
	o.Clean, o.RecoveryPoint, o.Epochs = true, 2, 6
	l = mustOpen(t, o)
	if c := l.Condemned(); len(c) > 0 || l.LatestEpoch() != 5 || l.EpochStart(5) != 1 {
		t.Errorf("the log has had epoch %d, which begins at %d; condemned: %v", l.LatestEpoch(), l.EpochStart(5), c)
	}
	if got := offsetsOf(t, readAll(t, l, 0, 1<<20)); !slices.Equal(got, []string{"0-1/2", "1-2/5"}) {
		t.Errorf("the log has %v", got)
	}
}

// A record is known again to be of an epoch, before others whose epochs are known.
func TestEpochsWith(t *testing.T) {
	e := epochs{{2, 0}, {5, 11}, {6, 20}}
	for _, tc := range []struct {
		epoch int32
		start int64
		want  epochs
	}{
		{5, 10, epochs{{2, 0}, {5, 10}, {6, 20}}},
		{4, 10, epochs{{2, 0}, {4, 10}, {5, 11}, {6, 20}}},
		{6, 30, e},
		{7, 30, epochs{{2, 0}, {5, 11}, {6, 20}, {7, 30}}},
	} {
		if got := e.with(tc.epoch, tc.start); !slices.Equal(got, tc.want) {
			t.Errorf("with %d at %d: %v, want %v", tc.epoch, tc.start, got, tc.want)
		}
	}
}
