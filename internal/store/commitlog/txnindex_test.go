package commitlog

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/odradek/odradek/internal/base/vfs"
)

// A bit of the index of aborted transactions that changes while the log is open hides none of
// them and makes up none, whichever it is: there is no checksum in Kafka's format.
func TestTxnIndexChanges(t *testing.T) {
	mem, o := kafkaTxns(t)
	l := mustOpen(t, o)
	want := must[[]AbortedTxn](t)(l.AbortedIn(0, kafkaTxnsEnd))
	name := testDir + "/00000000000000000000.txnindex"
	flip := func(bit int) { // in the file that the log has open
		f := must[vfs.File](t)(mem.OpenFile(name, os.O_RDWR, 0))
		defer f.Close()
		b := []byte{0}
		must[int](t)(f.ReadAt(b, int64(bit/8)))
		b[0] ^= 1 << (bit % 8)
		must[int](t)(f.WriteAt(b, int64(bit/8)))
	}
	size := len(must[[]byte](t)(vfs.ReadFile(mem, name)))
	for bit := 0; bit < 8*size; bit += 5 {
		flip(bit)
		for from := int64(0); from < kafkaTxnsEnd; from += 13 {
			var of []AbortedTxn
			for _, a := range want {
				if a.Last >= from {
					of = append(of, a)
				}
			}
			if got := must[[]AbortedTxn](t)(l.AbortedIn(from, kafkaTxnsEnd)); !cmp.Equal(got, of) {
				t.Fatalf("bit %d, from %d: %v, want %v", bit, from, got, of)
			}
		}
	}
	if err := l.TruncateTo(50); err != nil {
		t.Fatal(err)
	}
	before := must[[]AbortedTxn](t)(l.AbortedIn(0, 50))
	flip(8 * (txnEntry + 20)) // the marker of the second
	if err := l.TruncateTo(49); err != nil {
		t.Fatal(err)
	}
	if got := must[[]AbortedTxn](t)(l.AbortedIn(0, 40)); len(got) < 2 || !cmp.Equal(got, before[:len(got)]) {
		t.Errorf("after it was cut: %v, before: %v", got, before)
	}
}

// Who reads the index while it is made anew does not take what is missing for all there is.
func TestTxnIndexIsShorter(t *testing.T) {
	_, o := kafkaTxns(t)
	l := mustOpen(t, o)
	if len(must[[]AbortedTxn](t)(l.AbortedIn(0, kafkaTxnsEnd))) == 0 {
		t.Fatal("nothing was aborted")
	}
	s := l.segs[0]
	had := s.txn.disk
	l.forgetTxns(s)
	if err := l.eachTxn(s, 0, had, func([]byte) bool { return false }); !isBadIndex(err) {
		t.Errorf("%d entries of an index that has %d: %v", had, s.txn.disk, err)
	}
}
