package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func newDisk(t *testing.T) *Disk {
	t.Helper()
	d, err := New(t.TempDir(), 64<<20)
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A cut keeps what was synced to the byte, and nothing of what came after, be it bytes of
// a file that was there or a file that is new.
func TestPowerCutKeepsWhatWasSynced(t *testing.T) {
	d := newDisk(t)
	old := filepath.Join(d.Mount, "old")
	f, err := os.Create(old)
	try(t, err)
	defer f.Close()
	synced := bytes.Repeat([]byte("synced "), 10000)
	_, err = f.Write(synced)
	try(t, err)
	try(t, f.Sync())
	dir, err := os.Open(d.Mount)
	try(t, err)
	defer dir.Close()
	try(t, dir.Sync())
	_, err = f.Write(bytes.Repeat([]byte("not yet"), 10000))
	try(t, err)
	try(t, os.WriteFile(filepath.Join(d.Mount, "new"), synced, 0o600))

	try(t, d.Cut())
	if err := f.Sync(); err == nil {
		t.Error("a disk without power syncs")
	}
	if _, err := os.Create(filepath.Join(d.Mount, "later")); err == nil {
		t.Error("a disk without power makes files")
	}
	f.Close()
	dir.Close()
	try(t, d.Remount())
	got, err := os.ReadFile(old)
	try(t, err)
	if !bytes.Equal(got, synced) {
		t.Errorf("%d bytes were synced, %d are there", len(synced), len(got))
	}
	if _, err := os.Stat(filepath.Join(d.Mount, "new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that was never synced is there (%v)", err)
	}
	try(t, os.WriteFile(filepath.Join(d.Mount, "after"), nil, 0o600))
}

func TestFill(t *testing.T) {
	d := newDisk(t)
	try(t, d.Fill(0))
	if err := os.WriteFile(filepath.Join(d.Mount, "more"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a full disk says %v", err)
	}
	try(t, os.Remove(filepath.Join(d.Mount, "more")))
	try(t, d.Free())
	try(t, os.WriteFile(filepath.Join(d.Mount, "more"), make([]byte, 1<<20), 0o600))
	try(t, d.Free()) // the second time it does nothing
}

// What a test leaves that was killed is found again and taken away.
func TestSweep(t *testing.T) {
	d := newDisk(t)
	Sweep(func(dir string) bool { return dir == filepath.Dir(d.Mount) })
	if err := os.WriteFile(filepath.Join(d.Mount, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.mount(); err != nil {
		t.Fatalf("it is mounted still: %v", err)
	}
	if _, err := os.Stat(filepath.Join(d.Mount, "x")); err == nil {
		t.Error("what was written after the sweep is on the disk")
	}
}
