package vfs_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
)

// Whatever a file system makes of direct writes, and of such that are not whole blocks or
// begin anywhere in memory: what was written is there.
func TestDirectWrites(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	block := make([]byte, 64<<10) // so large that it begins at a page
	fill := func(c byte, n int) []byte {
		for i := range block[:n] {
			block[i] = c
		}
		return block[:n]
	}
	must(t, writeFile(name, fill('a', 16<<10)))
	f, err := vfs.OS.OpenFile(name, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	vfs.Direct(f)
	vfs.Direct(f)
	write := func(b []byte, at int64) {
		t.Helper()
		if n, err := f.WriteAt(b, at); n != len(b) || err != nil {
			t.Fatalf("%d of %d bytes at %d: %v", n, len(b), at, err)
		}
		must(t, f.Datasync())
	}
	write(fill('b', 4096), 4096)
	write(fill('c', 100), 8192+50)       // no block, nowhere
	write(fill('d', 4096+1)[1:], 3*4096) // begins where it should not
	write(fill('e', 4096), 0)
	got, err := vfs.ReadFile(vfs.OS, name)
	must(t, err)
	want := bytes.Repeat([]byte("a"), 16<<10)
	copy(want, bytes.Repeat([]byte("e"), 4096))
	copy(want[4096:], bytes.Repeat([]byte("b"), 4096))
	copy(want[8192+50:], bytes.Repeat([]byte("c"), 100))
	copy(want[3*4096:], bytes.Repeat([]byte("d"), 4096))
	if !bytes.Equal(got, want) {
		t.Error("not what was written")
	}
}

func writeFile(name string, b []byte) error { return vfs.WriteFileDurable(vfs.OS, name, b, 0o600) }

// What was prewritten is zeros, as long as it was allocated, and can be written as before.
func TestPrewrite(t *testing.T) {
	f, err := vfs.OS.OpenFile(filepath.Join(t.TempDir(), "f"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 2<<20 + 12288
	if err := errors.Join(f.Preallocate(size), vfs.Prewrite(f, size)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("odd"), 5000); err != nil { // which nothing that passes by the page cache takes
		t.Fatal(err)
	}
	want := make([]byte, size)
	copy(want[5000:], "odd")
	got := make([]byte, size)
	if _, err := f.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("it reads otherwise: %v", err)
	}
	if n, err := f.Size(); n != size || err != nil {
		t.Errorf("it has %d bytes, %v", n, err)
	}
}
