package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
)

var _ = failpoint.Register(
	"journal.file.before_sync",
	"journal.file.before_rename",
	"journal.file.before_syncdir",
	"journal.file.after_syncdir",
	"journal.file.before_reuse",
)

// file is one journal file. Guarded by Journal.mu, but for pos, which is the commit
// loop's.
type file struct {
	handle vfs.File
	number uint64
	size   int64
	pos    int64 // where the next group goes

	first, last uint64  // sequences of its groups that matter; 0: none
	lastNo      uint64  // number of its last group
	slots       []*slot // that may have entries here; some need them no more
}

// files is all files of a journal.
type files struct {
	live    []*file // whose entries matter, in order; the last is written to
	free    []*file
	keep    int64  // bytes that may matter before segments are synced to free files
	due     uint64 // all entries up to this group shall be synced
	highest uint64 // number of the newest file
}

func (fs *files) current() *file { return fs.live[len(fs.live)-1] }

// oldest returns the first sequence that matters once the group seq is durable. It never
// falls: a file that nobody needs starts anew where it is.
func (fs *files) oldest(seq uint64) uint64 {
	f := fs.live[0]
	if f.first == 0 || len(fs.live) == 1 && f.covered() {
		f.first = seq
	}
	return f.first
}

// list notes that the file has entries of s.
func (f *file) list(s *slot) {
	if s.file != f {
		s.file = f
		f.slots = append(f.slots, s)
	}
}

func (f *file) halfFull() bool { return f.pos > f.size/2 }

func (f *file) wrote(seq, no uint64, size int64) {
	if f.first == 0 {
		f.first = seq
	}
	f.last, f.lastNo = seq, no
	f.pos += size
}

// covered tells whether the segments hold all that the file has. It forgets the slots
// of which that is true.
func (f *file) covered() bool {
	for n := len(f.slots); n > 0; n = len(f.slots) {
		s := f.slots[n-1]
		if !s.covers(f.lastNo) {
			return false
		}
		if s.file == f {
			s.file = nil
		}
		f.slots[n-1] = nil
		f.slots = f.slots[:n-1]
	}
	return true
}

// release frees the oldest files that nobody needs. mu is held.
func (j *Journal) release() {
	for len(j.files.live) > 1 && j.files.live[0].covered() {
		f := j.files.live[0]
		j.files.live = slices.Delete(j.files.live, 0, 1)
		j.files.free = append(j.files.free, f)
		if j.noRoom {
			kick(j.kick)
		}
	}
}

// place returns the file that has room for size bytes at its pos. The last block of a
// file is left to a closing group.
func (j *Journal) place(size int64) (*file, error) {
	j.mu.Lock()
	f := j.files.current()
	j.mu.Unlock()
	if f.pos+size <= f.size-blockBytes {
		return f, nil
	}
	next, err := j.nextFile(f)
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	next.first, next.last, next.pos = 0, 0, blockBytes
	j.files.live = append(j.files.live, next)
	j.files.keep = min(max(j.cfg.LiveBytes, j.files.partitions()*perPartition), 4*j.cfg.LiveBytes)
	if n := int64(len(j.files.live)) - max(1, j.files.keep/j.cfg.FileBytes); n > 0 {
		j.recycle(j.files.live[:n])
	}
	kick(j.spareKick)
	return next, nil
}

// perPartition is what is kept for each partition, if there are so many that LiveBytes is less: a
// sync of a segment costs the same for one record as for a hundred.
const perPartition = 24 << 10

// partitions is how many have entries in files that matter.
func (fs *files) partitions() (n int64) {
	for _, f := range fs.live {
		for _, s := range f.slots {
			if s.file == f { // else a later one lists it
				n++
			}
		}
	}
	return n
}

// nextFile returns a file to be written from its start: a free one that the last
// durable group says is not needed, or a new one.
func (j *Journal) nextFile(current *file) (*file, error) {
	f, closable := j.takeFree()
	if f == nil && closable && current.pos+blockBytes <= current.size {
		if err := j.close(current); err != nil {
			return nil, err
		}
		f, _ = j.takeFree()
	}
	if f != nil {
		failpoint.Hit("journal.file.before_reuse", j.cfg.FS)
		return f, nil
	}
	return j.createNext(false) // now: what it is spared later would be waited for
}

// takeFree returns a free file that may be overwritten. If there are only such whose
// end is not announced, a closing group will help.
func (j *Journal) takeFree() (f *file, closable bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.release()
	fits := func(f *file) bool { return f.size == j.cfg.FileBytes }
	if i := slices.IndexFunc(j.files.free, func(f *file) bool { return fits(f) && j.unneeded(f) }); i >= 0 {
		f = j.files.free[i]
		j.files.free = slices.Delete(j.files.free, i, i+1)
		return f, true
	}
	return nil, slices.ContainsFunc(j.files.free, fits)
}

// unneeded tells whether a durable group says that nobody needs a free file.
func (j *Journal) unneeded(f *file) bool { return f.last < max(1, j.announced) }

// close ends a file with an empty group that announces what is free.
func (j *Journal) close(f *file) error {
	g := newGroup()
	g.no = j.committed // counts as part of the group before it
	b := g.buf[:blockBytes]
	clear(b)
	h := j.assign(g, f)
	sum := h.seal(b)
	if err := j.write(f, b); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	f.wrote(h.seq, max(f.lastNo, g.no), blockBytes)
	j.seq, j.sum, j.announced = h.seq, sum, h.oldest
	return nil
}

func (j *Journal) createNext(prewritten bool) (*file, error) {
	j.mu.Lock()
	j.files.highest++
	number := j.files.highest
	j.mu.Unlock()
	return createFile(&j.cfg, fileHeader{salt: j.salt, number: number}, prewritten)
}

// spareLoop sees to it that there is a free file before one is needed, from when the last is
// half full, and deletes those of a wrong size.
func (j *Journal) spareLoop(ctx context.Context) error {
	for {
		select {
		case <-j.spareKick:
			if err := j.spare(); err != nil {
				j.cfg.Log.Warn("journal cannot keep a spare file", "dir", j.cfg.Dir, "err", err)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (j *Journal) spare() error {
	var errs []error
	misfits, enough := j.takeMisfits()
	for _, f := range misfits {
		errs = append(errs, f.handle.Close(), j.cfg.FS.Remove(f.handle.Name()))
	}
	if !enough {
		f, err := j.createNext(true)
		errs = append(errs, err)
		if err == nil {
			j.mu.Lock()
			j.files.free = append(j.files.free, f)
			j.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}

// takeMisfits takes out the free files of a size that is not wanted any more, and tells
// whether one of the right size is left, or none is needed soon.
func (j *Journal) takeMisfits() (misfits []*file, enough bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.files.free = slices.DeleteFunc(j.files.free, func(f *file) bool {
		if f.size == j.cfg.FileBytes {
			enough = true
			return false
		}
		if !j.unneeded(f) {
			return false
		}
		misfits = append(misfits, f)
		return true
	})
	return misfits, enough || j.dead != nil || !j.files.current().halfFull()
}

const tmpSuffix = ".tmp"

func fileName(number uint64) string { return fmt.Sprintf("journal-%08d.odj", number) }

// createFile makes a file that has its space, its header and its name for good. The first
// write of a block costs the file system metadata, unless the file is prewritten.
func createFile(cfg *Config, h fileHeader, prewritten bool) (*file, error) {
	name := filepath.Join(cfg.Dir, fileName(h.number))
	f, err := prepareFile(cfg, name, h, prewritten)
	if err != nil {
		if rm := cfg.FS.Remove(name + tmpSuffix); !errors.Is(rm, fs.ErrNotExist) {
			err = errors.Join(err, rm)
		}
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	return f, nil
}

func prepareFile(cfg *Config, name string, h fileHeader, prewritten bool) (*file, error) {
	if err := fillFile(cfg, name+tmpSuffix, h, prewritten); err != nil {
		return nil, err
	}
	failpoint.Hit("journal.file.before_rename", cfg.FS)
	if err := cfg.FS.Rename(name+tmpSuffix, name); err != nil {
		return nil, err
	}
	failpoint.Hit("journal.file.before_syncdir", cfg.FS)
	if err := cfg.FS.SyncDir(cfg.Dir); err != nil {
		return nil, err
	}
	failpoint.Hit("journal.file.after_syncdir", cfg.FS)
	f, err := cfg.FS.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	vfs.Direct(f)
	return &file{handle: f, number: h.number, size: cfg.FileBytes, pos: blockBytes}, nil
}

func fillFile(cfg *Config, name string, h fileHeader, prewritten bool) error {
	f, err := cfg.FS.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	err = f.Preallocate(cfg.FileBytes)
	if err == nil && prewritten {
		err = vfs.Prewrite(f, cfg.FileBytes)
	}
	if err == nil {
		_, err = f.WriteAt(h.encode(), 0)
	}
	if err == nil {
		failpoint.Hit("journal.file.before_sync", cfg.FS)
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
