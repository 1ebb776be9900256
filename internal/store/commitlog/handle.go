package commitlog

import (
	"fmt"
	"os"
	"sync/atomic"

	"github.com/odradek/odradek/internal/base/vfs"
)

// handle is an open file that closes with its last reference, so that a slice that a
// client is being sent outlives the segment's deletion.
type handle struct {
	vfs.File
	refs atomic.Int32
}

func (h *handle) acquire() bool {
	for {
		n := h.refs.Load()
		if n == 0 {
			return false
		}
		if h.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (h *handle) release() error {
	switch n := h.refs.Add(-1); {
	case n == 0:
		return h.Close()
	case n < 0:
		panic("bug: file " + h.Name() + " released more often than acquired")
	}
	return nil
}

// file is a file of a segment that is opened when it is needed and closed when it was
// not for a while.
type file struct {
	open atomic.Pointer[handle]
	used atomic.Bool // since the last closeIdle
}

// acquire returns an open handle that the caller must release.
func (f *file) acquire(at ref) (*handle, error) {
	for {
		if h := f.open.Load(); h != nil {
			if h.acquire() {
				if !f.used.Load() {
					f.used.Store(true)
				}
				return h, nil
			}
			f.open.CompareAndSwap(h, nil)
			continue
		}
		if err := f.openFile(at, os.O_RDWR); err != nil {
			return nil, err
		}
	}
}

// acquireOrCreate is acquire for a file that may be missing.
func (f *file) acquireOrCreate(at ref) (*handle, error) {
	if h := f.open.Load(); h == nil {
		if err := f.openFile(at, os.O_RDWR|os.O_CREATE); err != nil {
			return nil, err
		}
	}
	return f.acquire(at)
}

// openFile opens the file unless somebody else was faster.
func (f *file) openFile(at ref, flags int) error {
	name := at.name()
	opened, err := at.log.fs.OpenFile(name, flags, 0o644)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	h := &handle{File: opened}
	h.refs.Store(1)
	f.used.Store(true)
	if !f.open.CompareAndSwap(nil, h) {
		return h.release()
	}
	return nil
}

// close gives up the segment's own reference.
func (f *file) close() error {
	if h := f.open.Swap(nil); h != nil {
		return h.release()
	}
	return nil
}

// closeIdle closes the file if it was not used since the last call.
func (f *file) closeIdle() error {
	if f.used.Swap(false) {
		return nil
	}
	return f.close()
}
