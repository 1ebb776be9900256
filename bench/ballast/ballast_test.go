package ballast

import (
	"errors"
	"testing"
)

// machine is memory of which others use some.
type machine struct {
	total, others int64
	in            map[int64]bool // blocks of the file, by their place
}

func (m *machine) free() (int64, error) {
	return m.total - m.others - int64(len(m.in))*block, nil
}

func (m *machine) load(off int64) error { m.in[off] = true; return nil }

func (m *machine) unload(off, length int64) error {
	for ; length > 0; off, length = off+block, length-block {
		delete(m.in, off)
	}
	return nil
}

// TestTrim has others take memory and give it back: what is free stays what it was, and the
// ballast knows what it holds, also after its file has gone round many times.
func TestTrim(t *testing.T) {
	const gib = 1 << 30
	m := &machine{total: 16 * gib, others: gib, in: map[int64]bool{}}
	b := &Ballast{mem: m, size: 20 * gib}
	for i, others := range []int64{1, 9, 2, 15, 0, 12, 1, 14, 3, 11, 1, 13, 0, 15, 1} {
		m.others = others * gib
		if err := b.trim(); err != nil {
			t.Fatal(err)
		}
		free, _ := m.free()
		if free < spare-slack || free > spare+slack {
			t.Errorf("turn %d: others use %d GiB, and %d MiB are free, want about %d", i, others, free>>20, spare>>20)
		}
		if held := b.hi - b.lo; held != int64(len(m.in))*block {
			t.Errorf("turn %d: it believes to hold %d MiB and holds %d", i, held>>20, len(m.in))
		}
	}
	if b.hi < b.size {
		t.Errorf("the file never went round: %d of %d", b.hi, b.size)
	}
	// Others use all: it has nothing to give, and does not try for ever.
	m.others = 16 * gib
	if err := b.trim(); err != nil || len(m.in) != 0 {
		t.Errorf("%d MiB are held when all is needed: %v", len(m.in), err)
	}
}

// TestNeverFull has memory that stays free whatever is read: that is told, and not tried for ever.
func TestNeverFull(t *testing.T) {
	b := &Ballast{mem: endless{}, size: 4096 * block}
	if err := b.trim(); !errors.Is(err, errNone) {
		t.Errorf("the ballast says %v of memory that does not fill", err)
	}
}

type endless struct{}

func (endless) free() (int64, error)      { return 1 << 40, nil }
func (endless) load(int64) error          { return nil }
func (endless) unload(int64, int64) error { return nil }
