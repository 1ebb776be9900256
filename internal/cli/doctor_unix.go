//go:build unix

package cli

import "syscall"

// maxOpenFiles is how many files this process may have open.
func maxOpenFiles() (uint64, error) {
	var l syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	return uint64(l.Cur), err
}
