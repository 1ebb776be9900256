//go:build unix

package vfs

import (
	"math"

	"golang.org/x/sys/unix"
)

// Descriptors is how many files and connections the process may have open, 0 if that
// is not known or has no bound.
func Descriptors() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil || uint64(l.Cur) > math.MaxInt32 {
		return 0
	}
	return int(l.Cur)
}
