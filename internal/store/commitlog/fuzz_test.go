package commitlog

import (
	"errors"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// FuzzOpen opens a segment, its indexes, a snapshot and an epoch checkpoint of any bytes.
// Whatever they are, opening and reading ends, gives sound offsets or an error for
// clients, and what was found can be appended to and found again.
func FuzzOpen(f *testing.F) {
	good := append(append([]byte(nil), plain(3, 10, 1000)...), plain(2, 200, 2000)...)
	record.Batch(good[len(plain(3, 10, 1000)):]).Stamp(3, 0)
	f.Add(good, []byte{0, 0, 0, 4, 0, 0, 0, 107}, []byte("\x00\x00\x00\x00\x00\x00\x07\xd1\x00\x00\x00\x04"), []byte{}, "0\n1\n0 0\n", int64(0), false)
	f.Add(good[:len(good)-1], []byte{}, []byte{}, []byte{0, 1}, "", int64(3), false)
	f.Add(good, []byte{0, 0, 0, 0}, []byte{1}, []byte{}, "0\n-1\n", int64(5), true)
	f.Fuzz(func(t *testing.T, log, index, timeIndex, snapshot []byte, epochs string, recovery int64, clean bool) {
		if recovery < 0 {
			return
		}
		mem := newMem(t)
		if err := mem.MkdirAll(testDir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{
			fileName(0, logExt): log, fileName(0, indexExt): index, fileName(0, timeIndexExt): timeIndex,
			fileName(2, snapshotExt): snapshot, epochsName: []byte(epochs),
		} {
			if err := vfs.WriteFileDurable(mem, testDir+"/"+name, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		o := testOptions(mem, testConfig())
		o.RecoveryPoint, o.Clean = recovery, clean
		l, err := Open(o)
		if err != nil {
			checkClientError(t, err)
			return
		}
		readAny(t, l)
		_, err = l.OffsetForTimestamp(1500, l.End())
		checkClientError(t, err)
		_, err = l.MaxTimestamp()
		checkClientError(t, err)
		end, epoch := l.End(), max(0, l.LatestEpoch())
		if end > 1<<62 {
			return
		}
		if a, err := l.AppendLeader(plain(2, 10, 3000), epoch, Client); err != nil || a.Base != end {
			t.Fatalf("append: %+v, %v, want it at %d", a, err, end)
		}
		s, err := l.Read(end, l.End(), 1000, true)
		if err != nil || s.Len != len(plain(2, 10, 3000)) {
			t.Fatalf("read what was appended: %+v, %v", s, err)
		}
		s.Release()
	})
}

func checkClientError(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, kerr.CorruptMessage) && !errors.Is(err, kerr.KafkaStorageError) {
		t.Fatalf("an error for nobody: %v", err)
	}
}

func readAny(t *testing.T, l *Log) {
	t.Helper()
	for from := l.Start(); from < l.End(); {
		s, err := l.Read(from, l.End(), 500, true)
		if err != nil {
			checkClientError(t, err)
			return
		}
		if s.Next <= from {
			t.Fatalf("read at %d of [%d, %d) goes on at %d", from, l.Start(), l.End(), s.Next)
		}
		from = s.Next
		s.Release()
	}
}
