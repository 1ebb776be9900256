package quorum

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
)

// On a full disk the reserve takes some entries more; then entries wait, and go on when
// there is room. What was agreed on is there after the next start.
func TestFullDisk(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk, m := vfs.NewMem(), newMachine()
		c := config(disk, m)
		c.SnapshotBytes, c.SegmentBytes = 64<<10, 16<<10
		q, stop := start(t, c)
		term := <-m.leads
		_, free, err := disk.Space("/data")
		if err != nil {
			t.Fatal(err)
		}
		disk.SetSize(1<<63 - 1 - free)
		entry := bytes.Repeat([]byte{'e'}, 1000)
		taken := 0
		for ; ; taken++ {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			_, err := q.Begin(term, entry)(ctx)
			cancel()
			if err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("entry %d on a full disk: %v", taken, err)
				}
				break
			}
		}
		if taken < 50 {
			t.Errorf("%d entries found room in the reserve", taken)
		}
		disk.SetSize(1 << 40)
		if _, err := q.Begin(term, []byte("last"))(t.Context()); err != nil {
			t.Errorf("with room again: %v", err)
		}
		if !q.store.wal.reserved {
			t.Error("there is no new reserve")
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		again := newMachine()
		_, stop = start(t, config(disk, again))
		<-again.leads
		if got := again.all(); len(got) != taken+2 || got[len(got)-1] != "last" { // the one that waited was agreed on, too
			t.Errorf("%d entries after a restart, want %d", len(got), taken+2)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}
