package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
)

// Op is what is being done to a disk.
type Op string

// The ops that a Rule is asked about, by the methods of FS and File.
const (
	OpOpen        Op = "open"   // of a file that must exist
	OpCreate      Op = "create" // Open with O_CREATE
	OpMkdir       Op = "mkdir"
	OpRemove      Op = "remove" // and RemoveAll
	OpRename      Op = "rename" // by the old name
	OpReadDir     Op = "readdir"
	OpStat        Op = "stat"
	OpSyncDir     Op = "syncdir"
	OpLock        Op = "lock"
	OpSpace       Op = "space"
	OpRead        Op = "read"
	OpWrite       Op = "write"
	OpTruncate    Op = "truncate"
	OpPreallocate Op = "preallocate"
	OpSync        Op = "sync" // and Datasync
	OpSize        Op = "size"
)

// Rule decides what happens to an operation, before it: nil lets it pass, an error is
// its answer, unless it is one of the mishaps ShortWrite, BitFlip and LostSync. A rule
// that blocks or sleeps is a disk that stalls. It is called by many goroutines at once.
type Rule func(op Op, name string) error

// ShortWrite lets the first N bytes of a write through and answers Err, ErrNoSpace
// if nil.
type ShortWrite struct {
	N   int
	Err error
}

// BitFlip lets a read succeed with one wrong bit: number Bit, modulo the bits read.
type BitFlip struct{ Bit int64 }

// LostSync fails a Sync as Linux does: with Err, ErrIO if nil, and what was to be synced
// is forgotten, so that the next Sync succeeds. Drop is as in Mem.LoseDirty. The disk
// below must be a Mem.
type LostSync struct {
	Drop bool
	Err  error
}

func (s ShortWrite) Error() string { return "short write" }
func (BitFlip) Error() string      { return "bit flip" }
func (LostSync) Error() string     { return "lost sync" }

// ErrIO is the error of an injected fault that was given none.
var ErrIO = errors.New("input/output error")

// Faulty is a disk on which a Rule decides what goes wrong.
type Faulty struct {
	disk FS
	rule atomic.Pointer[Rule]
}

// NewFaulty wraps disk; a nil rule is a healthy one.
func NewFaulty(disk FS, rule Rule) *Faulty {
	f := &Faulty{disk: disk}
	f.SetRule(rule)
	return f
}

// SetRule changes what goes wrong from now on.
func (f *Faulty) SetRule(rule Rule) {
	if rule == nil {
		rule = func(Op, string) error { return nil }
	}
	f.rule.Store(&rule)
}

// ask returns the rule's answer, with the operation's name on it unless it is a mishap.
func (f *Faulty) ask(op Op, name string) error {
	err := (*f.rule.Load())(op, name)
	switch err.(type) {
	case nil, ShortWrite, BitFlip, LostSync:
		return err
	}
	return &fs.PathError{Op: string(op), Path: name, Err: err}
}

func (f *Faulty) Open(name string) (File, error) { return f.OpenFile(name, os.O_RDONLY, 0) }

func (f *Faulty) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	op := OpOpen
	if flag&os.O_CREATE != 0 {
		op = OpCreate
	}
	if err := f.ask(op, name); err != nil {
		return nil, err
	}
	file, err := f.disk.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f}, nil
}

func (f *Faulty) MkdirAll(name string, perm fs.FileMode) error {
	return f.guard(OpMkdir, name, func() error { return f.disk.MkdirAll(name, perm) })
}

func (f *Faulty) Remove(name string) error {
	return f.guard(OpRemove, name, func() error { return f.disk.Remove(name) })
}

func (f *Faulty) RemoveAll(name string) error {
	return f.guard(OpRemove, name, func() error { return f.disk.RemoveAll(name) })
}

func (f *Faulty) Rename(from, to string) error {
	return f.guard(OpRename, from, func() error { return f.disk.Rename(from, to) })
}

func (f *Faulty) SyncDir(name string) error {
	return f.guard(OpSyncDir, name, func() error { return f.disk.SyncDir(name) })
}

func (f *Faulty) ReadDir(name string) (list []fs.DirEntry, err error) {
	err = f.guard(OpReadDir, name, func() error { list, err = f.disk.ReadDir(name); return err })
	return list, err
}

func (f *Faulty) Stat(name string) (info fs.FileInfo, err error) {
	err = f.guard(OpStat, name, func() error { info, err = f.disk.Stat(name); return err })
	return info, err
}

func (f *Faulty) Lock(name string) (c io.Closer, err error) {
	err = f.guard(OpLock, name, func() error { c, err = f.disk.Lock(name); return err })
	return c, err
}

func (f *Faulty) Space(name string) (total, free int64, err error) {
	err = f.guard(OpSpace, name, func() error { total, free, err = f.disk.Space(name); return err })
	return total, free, err
}

func (f *Faulty) guard(op Op, name string, do func() error) error {
	if err := f.ask(op, name); err != nil {
		return err
	}
	return do()
}

// faultyFile asks the rule by the name that the file was opened with.
type faultyFile struct {
	File
	fs *Faulty
}

func (f *faultyFile) ReadAt(b []byte, off int64) (int, error) {
	err := f.fs.ask(OpRead, f.Name())
	flip, flips := err.(BitFlip)
	if err != nil && !flips {
		return 0, err
	}
	n, err := f.File.ReadAt(b, off)
	if flips && n > 0 {
		bit := int(uint64(flip.Bit) % uint64(n*8))
		b[bit/8] ^= 1 << (bit % 8)
	}
	return n, err
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	err := f.fs.ask(OpWrite, f.Name())
	if short, ok := err.(ShortWrite); ok {
		n, werr := f.File.WriteAt(b[:min(len(b), short.N)], off)
		return n, &fs.PathError{Op: "write", Path: f.Name(), Err: firstOf(werr, short.Err, ErrNoSpace)}
	}
	if err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, off)
}

func (f *faultyFile) Truncate(size int64) error {
	return f.fs.guard(OpTruncate, f.Name(), func() error { return f.File.Truncate(size) })
}

func (f *faultyFile) Preallocate(size int64) error {
	return f.fs.guard(OpPreallocate, f.Name(), func() error { return f.File.Preallocate(size) })
}

func (f *faultyFile) Size() (size int64, err error) {
	err = f.fs.guard(OpSize, f.Name(), func() error { size, err = f.File.Size(); return err })
	return size, err
}

func (f *faultyFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *faultyFile) Datasync() error { return f.sync(f.File.Datasync) }

func (f *faultyFile) sync(do func() error) error {
	err := f.fs.ask(OpSync, f.Name())
	if lost, ok := err.(LostSync); ok {
		err := f.fs.disk.(*Mem).LoseDirty(filepath.Clean(f.Name()), lost.Drop)
		return &fs.PathError{Op: "sync", Path: f.Name(), Err: firstOf(err, lost.Err, ErrIO)}
	}
	if err != nil {
		return err
	}
	return do()
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
