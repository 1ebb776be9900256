package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// OS is the machine's own file system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) Open(name string) (File, error) {
	return openOS(name, os.O_RDONLY, 0)
}

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return openOS(name, flag, perm)
}

func (osFS) MkdirAll(name string, perm fs.FileMode) error { return os.MkdirAll(name, perm) }
func (osFS) Remove(name string) error                     { return os.Remove(name) }
func (osFS) RemoveAll(name string) error                  { return os.RemoveAll(name) }
func (osFS) Rename(from, to string) error                 { return os.Rename(from, to) }
func (osFS) ReadDir(name string) ([]fs.DirEntry, error)   { return os.ReadDir(name) }
func (osFS) Stat(name string) (fs.FileInfo, error)        { return os.Stat(name) }
func (osFS) SyncDir(name string) error                    { return syncDir(name) }
func (osFS) Lock(name string) (io.Closer, error)          { return lockFile(name) }
func (osFS) Space(name string) (int64, int64, error)      { return diskSpace(name) }
func (osFS) WriteBack(dir string)                         { writeBack(dir) }

// osFile embeds *os.File for ReadAt, Close, Name, Truncate and Sync, and
// for SyscallConn, by which the wire sends file slices.
type osFile struct{ *os.File }

func openOS(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f osFile) Datasync() error              { return datasync(f.File) }
func (f osFile) Preallocate(size int64) error { return preallocate(f.File, size) }
func (f osFile) Direct()                      { setDirect(f.File, true) }

// WriteAt gives up Direct where the system accepts it, but not what is written then.
func (f osFile) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(b, at)
	if n == 0 && errors.Is(err, syscall.EINVAL) && setDirect(f.File, false) {
		return f.File.WriteAt(b, at)
	}
	return n, err
}

// Prewrite passes by the page cache, which would keep zeros that nobody reads.
func (f osFile) Prewrite(size int64) error {
	f.Direct()
	defer setDirect(f.File, false)
	zeros := make([]byte, min(size, 1<<20)) // so many begin at a page of memory
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}
