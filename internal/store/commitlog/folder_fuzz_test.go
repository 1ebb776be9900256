package commitlog

import (
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/compaction"
)

// FuzzFolder opens a folder of two segments with an index of aborted transactions, and a file
// of any name beside them: what a swap, a deletion or a stranger has left. Opening and reading
// end, and what is appended is read again.
func FuzzFolder(f *testing.F) {
	good := []byte(plain(3, 10, 1000))
	second := plain(2, 20, 2000)
	second.Stamp(3, 0)
	txn := appendAborted(nil, compaction.AbortedTxn{ProducerID: 7, First: 1, Last: 2, LastStable: 1})
	for _, name := range []string{
		fileName(3, logExt) + swapSuffix, fileName(3, logExt) + cleanedSuffix, fileName(0, logExt) + deletedSuffix, fileName(0, indexExt) + swapSuffix,
		fileName(3, snapshotExt), fileName(4, snapshotExt), fileName(1, logExt), fileName(9, txnIndexExt), metadataName, epochsName, "x", fileName(1<<62, logExt),
	} {
		f.Add(good, []byte(second), txn, name, good, int64(0), false)
		f.Add(good, []byte(second), append(txn, 0), name, []byte{}, int64(3), true)
	}
	f.Add(good[:40], []byte(second), []byte{}, metadataName, []byte("version: 0\ntopic_id: AAAA\n"), int64(5), true)
	f.Fuzz(func(t *testing.T, first, second, txn []byte, name string, other []byte, recovery int64, clean bool) {
		if recovery < 0 || name == "" || len(name) > 60 {
			return
		}
		for i := range len(name) {
			if c := name[i]; c == '/' || c == 0 {
				return
			}
		}
		mem := newMem(t)
		if err := mem.MkdirAll(testDir, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, b := range map[string][]byte{fileName(0, logExt): first, fileName(3, logExt): second, fileName(0, txnIndexExt): txn} {
			if err := vfs.WriteFileDurable(mem, testDir+"/"+file, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if vfs.WriteFileDurable(mem, testDir+"/"+name, other, 0o644) != nil {
			return // no name of a file
		}
		o := testOptions(mem, testConfig())
		o.RecoveryPoint, o.Clean = recovery, clean
		l, err := Open(o)
		if err != nil {
			return // it says why, and the folder goes offline
		}
		readAny(t, l)
		_, err = l.AbortedIn(l.Start(), l.End())
		checkClientError(t, err)
		end, epoch := l.End(), max(0, l.LatestEpoch())
		if end > 1<<62 {
			return
		}
		if a, err := l.AppendLeader(record.Batch(plain(2, 10, 3000)), epoch, Client); err != nil || a.Base != end {
			t.Fatalf("append: %+v, %v, want it at %d", a, err, end)
		}
		s, err := l.Read(end, l.End(), 1000, true)
		if err != nil || s.Len != len(plain(2, 10, 3000)) {
			t.Fatalf("read what was appended: %+v, %v", s, err)
		}
		s.Release()
	})
}
