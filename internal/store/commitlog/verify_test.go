package commitlog

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// spoil changes a byte of the n-th segment, at a position.
func spoil(t *testing.T, l *Log, n int, pos int64) {
	t.Helper()
	f, err := l.fs.OpenFile(l.path(l.segs[n].base, logExt), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, pos); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b, pos); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func verifyAll(t *testing.T, l *Log) (found []Rot, bytes int) {
	t.Helper()
	for at := l.Start(); at < l.End(); {
		next, rot, err := l.Verify(at, func(n int) error { bytes += n; return nil })
		if err != nil || next <= at {
			t.Fatalf("Verify(%d) = %d, %v", at, next, err)
		}
		found, at = append(found, rot...), next
	}
	return found, bytes
}

// A byte that has changed anywhere in a batch is found, in old segments and in the newest;
// what is rotten is not read, the rest is; and cut off there the log is whole.
func TestVerify(t *testing.T) {
	for segment := range 3 {
		for _, at := range []int64{1, 7, 9, 15, 16, 20, 30, 60, 100} { // in the batch
			t.Run(fmt.Sprint(segment, " ", at), func(t *testing.T) {
				l := mustOpen(t, testOptions(newMem(t), testConfig()))
				for i := range 40 {
					must[Appended](t)(l.AppendLeader(plain(2, 100, int64(i)), 5, Client))
				}
				all := readAll(t, l, 0, 1<<20)
				if l.Segments() < 3 {
					t.Fatalf("%d segments", l.Segments())
				}
				if found, n := verifyAll(t, l); len(found) > 0 || n != int(l.Size()) {
					t.Fatalf("nothing is wrong, and it says %+v; %d of %d bytes were read", found, n, l.Size())
				}
				base, size := l.segs[segment].base, int64(plain(2, 100, 0).Size())
				victim := base + 4 // the third batch
				spoil(t, l, segment, 2*size+at)
				found, _ := verifyAll(t, l)
				if len(found) == 0 {
					t.Fatal("nothing is found")
				}
				r := found[0]
				if r.Offset > victim || r.Offset < victim-2 || r.Next <= victim {
					t.Fatalf("batch [%d, %d) was changed, found %+v", victim, victim+2, r)
				}
				if _, err := l.Read(victim, l.End(), 1<<20, true); !errors.Is(err, kerr.CorruptMessage) {
					t.Fatalf("read of what is rotten: %v", err)
				}
				for from := int64(0); from < r.Offset; {
					s, err := l.Read(from, l.End(), 1<<20, true)
					if err != nil || s.Next <= from || s.Next > r.Offset {
						t.Fatalf("read at %d: up to %d, %v", from, s.Next, err)
					}
					from = s.Next
					s.Release()
				}
				to := must[int64](t)(l.BeginCut(r.Offset))
				if err := l.TruncateTo(to); err != nil || l.End() != to || to != r.Offset {
					t.Fatalf("cut at %d: %v, it ends at %d", to, err, l.End())
				}
				must[Appended](t)(l.AppendFollower(all[to/2*size:]))
				if found, _ := verifyAll(t, l); len(found) > 0 {
					t.Fatalf("after the cut: %+v", found)
				}
				if got := readAll(t, l, 0, 1<<20); string(got) != string(all) {
					t.Fatal("it is not what it was")
				}
			})
		}
	}
}
