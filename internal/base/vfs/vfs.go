// Package vfs is the one door to the disk. It knows files, folders and what a
// power cut may take from them; it does not know what is written in them. It owns
// no goroutines.
//
// Three disks stand behind it: OS, the machine's own; Mem, a disk in memory that
// can crash and forget or tear what was not synced; and Faulty, which wraps another
// disk and makes it fail, fill up or stall.
package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// ErrLocked is returned by FS.Lock when another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// FS is a file system. Names are slash or OS paths, absolute or relative to the
// process; a missing file is an error that matches fs.ErrNotExist, a full disk one
// that matches ErrNoSpace. Safe for concurrent use.
type FS interface {
	// Open opens a file for reading.
	Open(name string) (File, error)
	// OpenFile opens a file with os.O_* flags; perm is used if it is created. A new
	// name is durable only after SyncDir of its folder.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// MkdirAll makes a folder and its parents. They are durable after SyncDir of
	// each parent.
	MkdirAll(name string, perm fs.FileMode) error
	// Remove deletes a file or an empty folder.
	Remove(name string) error
	// RemoveAll deletes a tree; a missing one is no error.
	RemoveAll(name string) error
	// Rename moves a file or folder over whatever bore the new name, atomically.
	// It is durable after SyncDir of the folders.
	Rename(from, to string) error
	// ReadDir lists a folder, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Stat tells size, kind and times.
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes the entries of a folder durable: files created, renamed and
	// removed in it.
	SyncDir(name string) error
	// Lock takes an exclusive lock on a file that it creates, until the Closer is
	// closed or the process ends. ErrLocked if another process holds it.
	Lock(name string) (io.Closer, error)
	// Space tells how many bytes the disk of this folder has and how many are free.
	Space(name string) (total, free int64, err error)
}

// File is an open file. ReadAt may run beside everything; the writers order
// themselves.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Name is the name it was opened with.
	Name() string
	// Size is the current length in bytes.
	Size() (int64, error)
	// Truncate cuts or extends the file to size bytes; what is added reads as zero.
	Truncate(size int64) error
	// Sync makes the file's bytes, length and attributes durable. After an error the
	// state of what was written since the last good Sync is unknown and will not be
	// told again: the caller must stop trusting the file, never retry.
	Sync() error
	// Datasync makes the file's bytes and length durable (fdatasync). The word about
	// errors at Sync holds.
	Datasync() error
	// Preallocate reserves size bytes of space from the file's start without changing
	// what a reader sees within the present length; the length becomes at least size.
	Preallocate(size int64) error
}

// ReadFile reads a whole file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:n], nil
}
