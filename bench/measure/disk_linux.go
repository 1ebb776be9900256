package measure

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Disk is the block device that a folder is on.
type Disk struct {
	dir, stat string
}

// DiskOf finds the disk of a folder, which must be on one.
func DiskOf(dir string) (*Disk, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return nil, fmt.Errorf("stat %s: %w", dir, err)
	}
	dev := fmt.Sprintf("/sys/dev/block/%d:%d/stat", unix.Major(st.Dev), unix.Minor(st.Dev))
	if _, err := os.Stat(dev); err != nil {
		return nil, fmt.Errorf("%s is on no block device: %w", dir, err)
	}
	return &Disk{dir, dev}, nil
}

// Written is how many bytes the device was given to write since the machine was started, by
// whomever, after everything that waits in memory was given to it.
func (d *Disk) Written() (int64, error) {
	if err := d.Sync(); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(d.stat)
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	const sectorsWritten = 6
	if len(fields) <= sectorsWritten {
		return 0, fmt.Errorf("%s has %d fields", d.stat, len(fields))
	}
	sectors, err := strconv.ParseInt(fields[sectorsWritten], 10, 64)
	return sectors * 512, err
}

// Sync waits until what was written to the folder's file system is on its disk.
func (d *Disk) Sync() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}
