package disk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Disk is an ext4 in the file Image, mounted at Mount.
type Disk struct{ Image, Mount string }

// The ioctl that stops an ext4 as a power cut would, FS_IOC_SHUTDOWN of Linux's
// fs/ext4/ext4.h, and its flag that leaves even the file system's own log unwritten.
const (
	fsIocShutdown = 0x8004587d
	noLogFlush    = 2
)

// New makes a disk of so many bytes, none of them kept for root, in the folder dir. The file has
// holes: it takes no more room than was written.
func New(dir string, bytes int64) (*Disk, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("only root may mount disks")
	}
	d := &Disk{filepath.Join(dir, "image"), filepath.Join(dir, "mount")}
	if err := os.MkdirAll(d.Mount, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(d.Image, nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Truncate(d.Image, bytes); err != nil {
		return nil, err
	}
	if err := run("mkfs.ext4", "-q", "-F", "-m", "0", d.Image); err != nil {
		return nil, fmt.Errorf("no ext4 can be made here: %w", err)
	}
	if err := d.mount(); err != nil {
		return nil, fmt.Errorf("no loop device can be mounted here: %w", err)
	}
	return d, nil
}

func (d *Disk) mount() error { return run("mount", "-o", "loop", d.Image, d.Mount) }

// Cut takes the power: from now on each access fails. Its processes must have been sent
// SIGKILL just before, as the machine loses its power with the disk: a sync that is under way
// when an ext4 is stopped may say that all is well though its bytes are lost (seen in one of
// twelve cuts, with files that were given room before, on Linux 6.18), and nobody may live
// to tell that.
func (d *Disk) Cut() error {
	f, err := os.Open(d.Mount)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), fsIocShutdown, noLogFlush); err != nil {
		return fmt.Errorf("FS_IOC_SHUTDOWN: %w", err)
	}
	return nil
}

// Remount brings the disk back, as the start of a machine does. Nobody may use it.
func (d *Disk) Remount() error {
	if err := d.unmount(); err != nil {
		return err
	}
	return d.mount()
}

// unmount tries for a while: somebody may have been looking.
func (d *Disk) unmount() (err error) {
	for range 100 {
		if err = unix.Unmount(d.Mount, 0); !errors.Is(err, unix.EBUSY) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", d.Mount, err)
	}
	return nil
}

// ballast is the file that fills a disk.
const ballast = "ballast"

// Fill takes all the room that is left but for so many bytes.
func (d *Disk) Fill(leave int64) error {
	f, err := os.OpenFile(filepath.Join(d.Mount, ballast), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	at := int64(0)
	for piece := int64(64 << 20); piece >= 4096; {
		var st unix.Statfs_t
		if err := unix.Statfs(d.Mount, &st); err != nil {
			return err
		}
		if free := int64(st.Bavail) * st.Bsize; free < leave+piece {
			piece /= 2
			continue
		}
		switch err := unix.Fallocate(int(f.Fd()), 0, at, piece); {
		case errors.Is(err, unix.ENOSPC):
			piece /= 2
		case err != nil:
			return fmt.Errorf("fill %s: %w", d.Mount, err)
		default:
			at += piece
		}
	}
	return nil
}

// Free gives the room back that Fill took.
func (d *Disk) Free() error {
	if err := os.Remove(filepath.Join(d.Mount, ballast)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Close unmounts the disk, which nobody may use, and leaves the image.
func (d *Disk) Close() error {
	err := d.unmount()
	if err != nil { // then it goes when the last who uses it does
		_ = unix.Unmount(d.Mount, unix.MNT_DETACH)
	}
	return err
}

// Sweep unmounts the disks in folders that are dead: those of tests that were killed.
func Sweep(dead func(dir string) bool) {
	text, _ := os.ReadFile("/proc/mounts")
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[0], "/dev/loop") || filepath.Base(fields[1]) != "mount" {
			continue
		}
		if dead(filepath.Dir(fields[1])) {
			_ = unix.Unmount(fields[1], unix.MNT_DETACH)
		}
	}
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}
