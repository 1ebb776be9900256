package vfs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
)

func TestRuleSeesEveryOperation(t *testing.T) {
	var seen []string
	disk := vfs.NewFaulty(vfs.NewMem(), func(op vfs.Op, name string) error {
		seen = append(seen, fmt.Sprint(op, " ", name))
		return errors.New("no")
	})
	file := func(name string) vfs.File {
		disk2 := vfs.NewMem()
		f := vfs.NewFaulty(disk2, nil)
		h := create(t, f, name, "x")
		f.SetRule(func(op vfs.Op, name string) error {
			seen = append(seen, fmt.Sprint(op, " ", name))
			return errors.New("no")
		})
		return h
	}("/f")
	_, e1 := disk.Open("/a")
	_, e2 := disk.OpenFile("/b", os.O_CREATE, 0)
	_, e3 := disk.ReadDir("/g")
	_, e4 := disk.Stat("/h")
	_, e5 := disk.Lock("/j")
	_, _, e6 := disk.Space("/k")
	_, e7 := file.ReadAt(make([]byte, 1), 0)
	_, e8 := file.WriteAt(make([]byte, 1), 0)
	_, e9 := file.Size()
	for i, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8, e9,
		disk.MkdirAll("/c", 0), disk.Remove("/d"), disk.RemoveAll("/e"), disk.Rename("/l", "/m"), disk.SyncDir("/i"),
		file.Truncate(0), file.Preallocate(1), file.Sync(), file.Datasync()} {
		if err == nil {
			t.Errorf("operation %d passed", i)
		}
	}
	want := "[open /a create /b readdir /g stat /h lock /j space /k read /f write /f size /f mkdir /c remove /d remove /e rename /l syncdir /i truncate /f preallocate /f sync /f sync /f]"
	if fmt.Sprint(seen) != want {
		t.Errorf("rule saw\n%v, want\n%v", seen, want)
	}
}

func TestMishaps(t *testing.T) {
	mem := vfs.NewMem()
	disk := vfs.NewFaulty(mem, nil)
	f := create(t, disk, "/f", "....")
	must(t, f.Sync())
	must(t, disk.SyncDir("/"))

	disk.SetRule(func(op vfs.Op, _ string) error { return vfs.ShortWrite{N: 2} })
	if n, err := f.WriteAt([]byte("abcd"), 0); n != 2 || !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("short write: %d, %v", n, err)
	}
	disk.SetRule(func(op vfs.Op, _ string) error { return vfs.BitFlip{Bit: 8} })
	b := make([]byte, 4)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "ac.." {
		t.Errorf("bit flip: %q, %v", b, err)
	}
	disk.SetRule(func(op vfs.Op, _ string) error { return vfs.LostSync{} })
	if err := f.Sync(); !errors.Is(err, vfs.ErrIO) {
		t.Errorf("lost sync: %v", err)
	}
	disk.SetRule(nil)
	must(t, f.Sync())
	if got, err := vfs.ReadFile(mem.Crash(newRand(1)), "/f"); string(got) != "...." {
		t.Errorf("after the lost sync the disk has %q, %v", got, err)
	}
}

// A rule that sleeps is a slow disk, in the time of the bubble.
func TestStall(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := vfs.NewFaulty(vfs.NewMem(), func(op vfs.Op, name string) error {
			if op == vfs.OpSync && filepath.Base(name) == "f" {
				time.Sleep(time.Minute)
			}
			return nil
		})
		start := time.Now()
		must(t, create(t, disk, "/f", "x").Sync())
		if got := time.Since(start); got != time.Minute {
			t.Errorf("took %v of the bubble's time", got)
		}
	})
}
