package crash

import (
	"flag"
	"testing"

	"github.com/odradek/odradek/conformance/disk"
)

var cuts = flag.Int("cuts", 0, "how often the power is cut in TestPowerCut, which needs root and a loop device")

// The same with the power cut instead: the node is killed, and at that instant the
// file system stops and what was not synced is gone; it is mounted anew. What acks=1 promised and
// nobody has read may be lost; all else may not.
func TestPowerCut(t *testing.T) {
	if *cuts == 0 {
		t.Skip("asked for with -cuts=10; needs root, mkfs.ext4 and a loop device")
	}
	disk, err := disk.New(t.TempDir(), 4<<30)
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	t.Cleanup(func() { _ = disk.Close() })
	r := newRig(t, disk.Mount)
	r.populate()
	for range *cuts {
		r.runUntil(r.rng.IntN(1500)+1, func() error {
			r.node.Doom() // see disk.Disk.Cut
			if err := disk.Cut(); err != nil {
				return err
			}
			return r.node.End()
		})
		r.history.PowerCut()
		r.history.Died()
		r.try(disk.Remount())
		r.start()
		r.check()
	}
	r.finish()
}
