package journal_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

// prewriting is a disk that is told which files it shall prewrite.
type prewriting struct {
	vfs.FS
	bytes map[string]int64
}

type prewritingFile struct {
	vfs.File
	disk *prewriting
}

func (d *prewriting) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := d.FS.OpenFile(name, flag, perm)
	return prewritingFile{f, d}, err
}

func (f prewritingFile) Prewrite(size int64) error { f.disk.bytes[f.Name()] = size; return nil }

// A spare file is made when the last is half full, no sooner, and is prewritten; the first one, for
// which a start would wait, is not.
func TestSpareIsPrewritten(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := &prewriting{newDisk(t), map[string]int64{}}
		j, _, stop := start(t, config(disk))
		r := newRecorder(1)
		for range 8 { // the first is synced where it is, the others are a block each, behind the file's header
			must(t, r.submit(j, 1))
			synctest.Wait()
		}
		if len(disk.bytes) > 0 {
			t.Errorf("prewritten: %v", disk.bytes)
		}
		must(t, r.submit(j, 1))
		synctest.Wait()
		if disk.bytes["/j/journal-00000002.odj.tmp"] != 64<<10 || len(disk.bytes) != 1 {
			t.Errorf("prewritten: %v", disk.bytes)
		}
		must(t, stop())
	})
}

// Many partitions are deleted for one sync, and nothing of them comes back.
func TestManyDeletedAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := vfs.NewFaulty(newDisk(t), nil)
		j, _, stop := start(t, config(disk))
		ids := []model.IDPartition{{Partition: 99}} // of which the journal knows nothing
		for n := range int32(20) {
			r := newRecorder(n)
			for range 2 { // the first append of a partition is synced where it is
				must(t, r.submit(j, 1))
				synctest.Wait()
			}
			if n > 0 {
				ids = append(ids, r.id)
			}
		}
		syncs := 0
		disk.SetRule(func(op vfs.Op, name string) error {
			if op == vfs.OpSync && strings.HasSuffix(name, ".odj") {
				syncs++
			}
			return nil
		})
		must(t, j.Deleted(ids...))
		if syncs > 2 {
			t.Errorf("%d syncs", syncs)
		}
		must(t, stop())
		_, entries, stop := start(t, config(disk))
		for _, e := range entries {
			if e.ID.Partition != 0 {
				t.Errorf("partition %d is back", e.ID.Partition)
			}
		}
		if len(entries) == 0 {
			t.Error("what stays is not there")
		}
		must(t, stop())
	})
}
