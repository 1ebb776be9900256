package ballast

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mincore asks which pages of a mapping are in memory: bit 0 of in, a byte a page.
func mincore(m, in []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), uintptr(unsafe.Pointer(&in[0])))
	if errno != 0 {
		return errno
	}
	return nil
}
