package pool

import "testing"

func TestGetHasTheSizeOfItsClass(t *testing.T) {
	for _, c := range []struct{ n, want int }{
		{0, 4 << 10}, {1, 4 << 10}, {4 << 10, 4 << 10}, {4<<10 + 1, 8 << 10},
		{16 << 10, 16 << 10}, {16<<10 + 1, 32 << 10}, {1 << 20, 1 << 20}, {1<<20 + 1, 2 << 20},
		{64 << 20, 64 << 20}, {64<<20 + 1, 64<<20 + 1},
	} {
		if got := Size(c.n); got != c.want {
			t.Errorf("Size(%d) = %d, want %d", c.n, got, c.want)
		}
		b := Get(c.n)
		if len(b.B) != c.want {
			t.Errorf("Get(%d) has %d bytes, want %d", c.n, len(b.B), c.want)
		}
		b.Release()
	}
}

func TestReferencesAreCounted(t *testing.T) {
	b := Get(10)
	if b.Shared() {
		t.Error("a fresh buffer is shared")
	}
	b.Retain()
	if !b.Shared() {
		t.Error("a retained buffer is not shared")
	}
	b.Release()
	if b.Shared() {
		t.Error("still shared after Release")
	}
	b.Release()
	mustPanic(t, "second Release", b.Release)
}

func TestRetainAfterReleasePanics(t *testing.T) {
	b := &Buf{B: make([]byte, 1), class: -1}
	b.refs.Store(1)
	b.Release()
	mustPanic(t, "Retain", b.Retain)
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}
