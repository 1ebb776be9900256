//go:build !linux

package vfs

import "os"

func datasync(f *os.File) error { return f.Sync() }

// preallocate extends the file: these systems offer no portable call to reserve
// space.
func preallocate(f *os.File, size int64) error {
	info, err := f.Stat()
	if err != nil || info.Size() >= size {
		return err
	}
	return f.Truncate(size)
}

// setDirect does nothing: these systems offer no such flag.
func setDirect(*os.File, bool) bool { return false }

// writeBack does nothing: these systems offer no call for it.
func writeBack(string) {}
