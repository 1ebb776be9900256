package vfs

import (
	"io"
	"io/fs"
	"os"
	"syscall"
)

// memFile is an open file of a Mem.
type memFile struct {
	fs     *Mem
	name   string
	node   *inode
	flag   int
	closed bool // guarded by the disk's lock
}

func (f *memFile) Name() string { return f.name }

func (f *memFile) ReadAt(b []byte, off int64) (n int, err error) {
	f.fs.disk.mu.RLock()
	defer f.fs.disk.mu.RUnlock()
	if err := f.usable("read", f.flag&os.O_WRONLY == 0 && off >= 0); err != nil {
		return 0, err
	}
	if n = f.node.readAt(b, off); n < len(b) {
		err = io.EOF
	}
	return n, err
}

func (f *memFile) WriteAt(b []byte, off int64) (n int, err error) {
	f.fs.disk.mu.Lock()
	defer f.fs.disk.mu.Unlock()
	if err := f.usable("write", f.writes() && f.flag&os.O_APPEND == 0 && off >= 0); err != nil {
		return 0, err
	}
	if end := off + int64(len(b)); end > f.node.size {
		end, err = f.fs.disk.grow(f.node, end)
		b = b[:max(0, end-off)]
	}
	f.node.writeAt(b, off)
	return len(b), f.wrap("write", err)
}

func (f *memFile) Truncate(size int64) error {
	return f.change("truncate", f.writes() && size >= 0, func() error {
		return f.fs.disk.resize(f.node, size)
	})
}

func (f *memFile) Preallocate(size int64) error {
	return f.change("preallocate", f.writes() && size > 0, func() error {
		return f.fs.disk.resize(f.node, max(size, f.node.size))
	})
}

func (f *memFile) Sync() error     { return f.sync("sync") }
func (f *memFile) Datasync() error { return f.sync("datasync") }

func (f *memFile) sync(op string) error {
	return f.change(op, true, func() error { f.node.sync(); return nil })
}

func (f *memFile) Size() (size int64, err error) {
	f.fs.disk.mu.RLock()
	defer f.fs.disk.mu.RUnlock()
	return f.node.size, f.usable("size", true)
}

func (f *memFile) Close() error {
	return f.change("close", true, func() error { f.closed = true; return nil })
}

func (f *memFile) writes() bool { return f.flag&(os.O_WRONLY|os.O_RDWR) != 0 }

func (f *memFile) change(op string, valid bool, do func() error) error {
	f.fs.disk.mu.Lock()
	defer f.fs.disk.mu.Unlock()
	if err := f.usable(op, valid); err != nil {
		return err
	}
	return f.wrap(op, do())
}

func (f *memFile) usable(op string, valid bool) error {
	switch {
	case f.fs.down:
		return f.wrap(op, ErrDown)
	case f.closed:
		return f.wrap(op, fs.ErrClosed)
	case !valid:
		return f.wrap(op, syscall.EINVAL)
	}
	return nil
}

func (f *memFile) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// grow lengthens a file to size or as far as the disk reaches, with an error then.
func (d *memDisk) grow(n *inode, size int64) (reached int64, err error) {
	if n.names > 0 {
		if free := max(0, d.size-d.used); size-n.size > free {
			size, err = n.size+free, ErrNoSpace
		}
		d.used += size - n.size
	}
	n.resize(size)
	return size, err
}

// resize sets a file's length, or leaves it when the disk is too small.
func (d *memDisk) resize(n *inode, size int64) error {
	if n.names > 0 {
		if size-n.size > max(0, d.size-d.used) {
			return ErrNoSpace
		}
		d.used += size - n.size
	}
	n.resize(size)
	return nil
}
