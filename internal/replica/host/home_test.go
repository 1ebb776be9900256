package host

import (
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/replica/partition"
)

// Who waits for partitions in two folders waits for two disks at once: the other one does not wait
// until the first is done.
func TestFoldersCommitBesideEachOther(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRigOfTwo(t)
		disk := vfs.NewFaulty(r.disk, nil)
		r.fs = disk
		r.create("orders", 1, 2)
		r.start()
		defer r.end()
		var all []*partition.Partition
		for n := range int32(2) {
			r.mustPut("orders", n, "k", "v") // a log that has begun is journaled
			all = append(all, r.partition("orders", n))
		}
		if r.host.replica(all[0].ID()).dir() == r.host.replica(all[1].ID()).dir() {
			t.Fatal("both partitions are in one folder")
		}
		synctest.Wait()
		stall := make(chan struct{})
		disk.SetRule(func(op vfs.Op, path string) error {
			if op == vfs.OpSync && path[:2] == r.host.replica(all[0].ID()).dir().Path {
				<-stall
			}
			return nil
		})
		var appended []partition.Appended
		for _, p := range all {
			a, err := p.Append(r.batch("k", "v"), partition.AppendArgs{ProduceVersion: 12, Acks: partition.AllInSync})
			if err != nil {
				t.Fatal(err)
			}
			appended = append(appended, a)
		}
		done := make(chan error, 1)
		go func() { done <- all[0].Wait(t.Context(), appended[0].End, appended[0].Epoch) }()
		synctest.Wait()
		if hw := all[1].HighWatermark(); hw != appended[1].End {
			t.Errorf("the high watermark of the other is %d while the first disk stands still, want %d", hw, appended[1].End)
		}
		close(stall)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
