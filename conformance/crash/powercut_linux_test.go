package crash

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

var cuts = flag.Int("cuts", 0, "how often the power is cut in TestPowerCut, which needs root and a loop device")

// The ioctl that stops an ext4 as a power cut would, FS_IOC_SHUTDOWN of Linux's
// fs/ext4/ext4.h, and its flag that leaves even the file system's own log unwritten.
const (
	fsIocShutdown = 0x8004587d
	noLogFlush    = 2
)

// The same with the power cut instead: the file system stops, what was not synced is
// gone, the node is killed, the file system is mounted anew. What acks=1 promised and
// nobody has read may be lost; all else may not.
func TestPowerCut(t *testing.T) {
	if *cuts == 0 {
		t.Skip("asked for with -cuts=10; needs root, mkfs.ext4 and a loop device")
	}
	disk := newDisk(t)
	r := newRig(t, disk.mount)
	r.populate()
	for range *cuts {
		r.runUntil(r.rng.IntN(1500)+1, func() error {
			if err := disk.cut(); err != nil {
				return err
			}
			return r.node.End()
		})
		r.history.PowerCut()
		r.history.Died()
		r.try(disk.remount())
		r.start()
		r.check()
	}
	r.finish()
}

// disk is an ext4 in a file, mounted by way of a loop device.
type disk struct{ image, mount string }

func newDisk(t *testing.T) *disk {
	dir := t.TempDir()
	d := &disk{filepath.Join(dir, "image"), filepath.Join(dir, "mount")}
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 4<<30); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(d.mount, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := run("mkfs.ext4", "-q", "-F", d.image); err != nil {
		t.Skipf("no ext4 can be made here: %v", err)
	}
	if err := run("mount", "-o", "loop", d.image, d.mount); err != nil {
		t.Skipf("no loop device can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = run("umount", d.mount) })
	return d
}

// cut stops the file system: from now on each access fails.
func (d *disk) cut() error {
	f, err := os.Open(d.mount)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), fsIocShutdown, noLogFlush); err != nil {
		return fmt.Errorf("FS_IOC_SHUTDOWN: %w", err)
	}
	return nil
}

func (d *disk) remount() error {
	if err := run("umount", d.mount); err != nil {
		return err
	}
	return run("mount", "-o", "loop", d.image, d.mount)
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}
