package commitlog

import (
	"errors"
	"fmt"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
)

// An empty log takes the batch that holds its start whole, and still starts where it did:
// whatever the crash, if the host has written the start down.
func TestBeginWithin(t *testing.T) {
	batches := appendAll(t, mustOpen(t, testOptions(newMem(t), testConfig())), 3, plain(3, 10, 1), plain(3, 10, 4), plain(3, 10, 7))
	both := append(append([]byte(nil), batches[1]...), batches[2]...)
	for seed := range uint64(40) {
		mem := newMem(t)
		fsys := vfs.NewFaulty(mem, nil)
		l := mustOpen(t, testOptions(fsys, testConfig()))
		must[Appended](t)(l.AppendFollower(batches[0]))
		if err := l.TruncateFullyAndStartAt(5); err != nil {
			t.Fatal(err)
		}
		must[int64](t)(l.Sync())
		rng, left := newRand(seed), int(seed)/2
		crashed := (*vfs.Mem)(nil)
		fsys.SetRule(func(vfs.Op, string) error {
			if left--; left < 0 && crashed == nil {
				crashed = mem.CrashClone(rng)
			}
			if s := l.start; s != 5 {
				t.Errorf("seed %d: it starts at %d meanwhile", seed, s)
			}
			return nil
		})
		a, err := l.BeginWithin(both)
		if err != nil || a.Base != 3 || a.End != 9 || a.Start != 5 || l.Start() != 5 || l.End() != 9 || l.EpochAt(5) != 3 {
			t.Fatalf("%+v, %v: the log is [%d, %d)", a, err, l.Start(), l.End())
		}
		must[int64](t)(l.Sync())
		fsys.SetRule(nil)
		if got, want := fmt.Sprint(offsetsOf(t, readAll(t, l, 5, 1))), "[3-6/3 6-9/3]"; got != want {
			t.Errorf("it has %v, want %v", got, want)
		}
		if crashed == nil {
			crashed = mem.Crash(rng)
		}
		o := testOptions(crashed, testConfig())
		o.Start = 5
		again := mustOpen(t, o)
		if again.Start() != 5 || again.End() != 5 && again.End() != 6 && again.End() != 9 {
			t.Errorf("seed %d: after a crash it is [%d, %d)", seed, again.Start(), again.End())
		}
	}
}

// What does not hold the start, or is no batch, leaves the log as it was.
func TestBeginWithinErrors(t *testing.T) {
	batches := appendAll(t, mustOpen(t, testOptions(newMem(t), testConfig())), 3, plain(3, 10, 1), plain(3, 10, 4), plain(3, 10, 7))
	l := mustOpen(t, testOptions(newMem(t), testConfig()))
	if err := l.TruncateFullyAndStartAt(5); err != nil {
		t.Fatal(err)
	}
	torn := append(append([]byte(nil), batches[1]...), batches[2]...)
	torn[len(torn)-1]++
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"before it":     {batches[0], ErrUnexpectedOffset},
		"behind it":     {batches[2], ErrUnexpectedOffset},
		"half a batch":  {batches[1][:20], kerr.CorruptMessage},
		"rot behind it": {torn, kerr.CorruptMessage},
	} {
		if _, err := l.BeginWithin(c.b); !errors.Is(err, c.want) || l.Start() != 5 || l.End() != 5 {
			t.Errorf("%s: %v, the log is [%d, %d)", name, err, l.Start(), l.End())
		}
	}
	must[Appended](t)(l.BeginWithin(batches[1]))
	if _, err := l.BeginWithin(batches[1]); !errors.Is(err, ErrUnexpectedOffset) || l.Start() != 5 || l.End() != 6 {
		t.Errorf("a log that has records: %v, [%d, %d)", err, l.Start(), l.End())
	}
}
