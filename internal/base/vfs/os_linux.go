package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

func datasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

func preallocate(f *os.File, size int64) error {
	return os.NewSyscallError("fallocate", unix.Fallocate(int(f.Fd()), 0, 0, size))
}

// setDirect has writes pass by the page cache, or not, and tells whether that is new. It
// fails where the file system cannot do without.
func setDirect(f *os.File, on bool) (changed bool) {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil || on == (flags&unix.O_DIRECT != 0) {
		return false
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags^unix.O_DIRECT)
	return err == nil
}

// writeBack asks for all of the file system that holds the folder: 4,000 short files cost
// 5 ms of processor time and one commit of its journal so, and 200 ms and hundreds of
// commits one by one.
func writeBack(dir string) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	_ = unix.Syncfs(int(f.Fd()))
}
