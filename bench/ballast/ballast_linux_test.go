package ballast

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHole sees that reading a hole takes memory, that giving it back frees it, and that no disk is
// used.
func TestHole(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const blocks = 8
	if err := f.Truncate(blocks * block); err != nil {
		t.Fatal(err)
	}
	h := &hole{f: f, buf: make([]byte, block)}
	if err := h.probe(); err != nil {
		t.Skip(err) // as Lay would
	}
	in := func() int {
		m, err := unix.Mmap(int(f.Fd()), 0, blocks*block, unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(m)
		n, err := resident(m)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	b := &Ballast{mem: h, size: blocks * block}
	if err := b.add(blocks * block); err != nil || in() < blocks*block*9/10 {
		t.Fatalf("%d bytes of %d are in memory: %v", in(), blocks*block, err)
	}
	if err := b.take(blocks * block); err != nil || in() > blocks*block/10 {
		t.Fatalf("%d bytes are still in memory: %v", in(), err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Blocks > 16 {
		t.Errorf("%d blocks of disk: %v", st.Blocks, err)
	}
}
