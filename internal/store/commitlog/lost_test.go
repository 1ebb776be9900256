package commitlog

import (
	"errors"
	"os"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
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
