package journal_test

import (
	"io/fs"
	"testing"
	"testing/synctest"
	"unsafe"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
)

// strictDisk has files that are as particular as the machine's own when they are written
// past the page cache.
type strictDisk struct {
	vfs.FS
	t      *testing.T
	direct int // writes that went so
}

func (d *strictDisk) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := d.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &strictFile{File: f, disk: d}, nil
}

type strictFile struct {
	vfs.File
	disk   *strictDisk
	direct bool
}

func (f *strictFile) Direct() { f.direct = true }

func (f *strictFile) WriteAt(b []byte, at int64) (int, error) {
	if f.direct {
		f.disk.direct++
		if memory := uintptr(unsafe.Pointer(&b[0])); memory%4096 != 0 || len(b)%4096 != 0 || at%4096 != 0 {
			f.disk.t.Errorf("%d bytes at %#x to %d: not whole blocks", len(b), memory, at)
		}
	}
	return f.File.WriteAt(b, at)
}

func (f *strictFile) ReadAt(b []byte, at int64) (int, error) {
	if f.direct {
		f.disk.t.Error("a file that passes by the page cache is read")
	}
	return f.File.ReadAt(b, at)
}

// Groups of every size are whole blocks of memory and of the file, before and after a
// restart, and nothing is read from a file that is written so.
func TestGroupsAreWholeBlocks(t *testing.T) {
	disk := &strictDisk{FS: newDisk(t), t: t}
	cfg := config(disk)
	cfg.FileBytes, cfg.SmallBytes = 1<<20, 200<<10
	for range 6 {
		bubble.Test(t, func(t *testing.T) {
			j, _, stop := start(t, cfg)
			r := newRecorder(1)
			for n := range 60 {
				must(t, r.submit(j, 1+n*n))
				synctest.Wait()
			}
			if n := len(r.durable); n != 60 || r.syncs > 5 {
				t.Errorf("%d of 60 are durable, by %d syncs", n, r.syncs)
			}
			must(t, stop()) // and not closed, so that the next one finds something
		})
	}
	if disk.direct < 300 {
		t.Errorf("%d writes went past the page cache", disk.direct)
	}
}
