package vfs

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// What is simulated runs under WebAssembly too, so that it can be repeated exactly, and has
// its disk in memory there. The machine's own disk can be read and written, but neither
// locked nor trusted: a broker does not start on it.

// ErrNoSpace is matched by the errors of a full disk.
var ErrNoSpace error = syscall.ENOSPC

// ErrNoFiles is matched by the errors of a process that has as many files open as it may.
var ErrNoFiles error = syscall.EMFILE

func syncDir(name string) error {
	return fmt.Errorf("sync %s: %w", name, errors.ErrUnsupported)
}

func lockFile(name string) (io.Closer, error) {
	return nil, fmt.Errorf("lock %s: %w", name, errors.ErrUnsupported)
}

func diskSpace(name string) (total, free int64, err error) {
	return 0, 0, fmt.Errorf("disk space of %s: %w", name, errors.ErrUnsupported)
}

// Descriptors is how many files the process may have open: it is not known.
func Descriptors() int { return 0 }
