package ballast

import (
	"testing"
)

// machine is memory of which others use some.
type machine struct {
	total, others int64
	in            map[int64]bool // blocks of the file, by their place
	back          int64          // free, and not to be had
	reads, gone   int64          // blocks
}

func (m *machine) free() (int64, error) {
	return m.total - m.others - int64(len(m.in))*block, nil
}

func (m *machine) reclaimed() (int64, error) { return m.gone * block, nil }

// load has another block leave where there is no room, as the kernel does.
func (m *machine) load(off int64) error {
	m.reads++
	if free, _ := m.free(); free-m.back < block {
		for old := range m.in {
			delete(m.in, old)
			m.gone++
			break
		}
	}
	m.in[off] = true
	return nil
}

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

// TestHeldBack has some of what is free not to be had, and later more and less: it counts as used, and
// is not looked for over and over.
func TestHeldBack(t *testing.T) {
	const gib = 1 << 30
	m := &machine{total: 16 * gib, others: gib, in: map[int64]bool{}}
	b := &Ballast{mem: m, size: 20 * gib}
	for turn, back := range []int64{2, 2, 3, 1, 0, 2} {
		m.back = back * gib
		for range 2 {
			reads := m.reads
			if err := b.trim(); err != nil {
				t.Fatal(err)
			}
			if n := (m.reads - reads) * block; n > 32*gib {
				t.Fatalf("turn %d: %d GiB were read", turn, n/gib)
			}
		}
		free, _ := m.free()
		if left := free - m.back; left > 3*gib {
			t.Errorf("turn %d: %d MiB are to be had and unused", turn, left>>20)
		}
	}
}
