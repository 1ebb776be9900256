package fetchsession

import (
	"testing"
	"time"
)

// A partition that was forgotten and is named again is another one, however many there are.
func TestNamedAgain(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, n := range []int{2, few, few + 1, 20} {
		s := New(false, false, wants(0, n), now)
		s.Take(nil)
		s.update(nil, []Key{wants(1, 1)[0].Key})
		if s.Len() != n-1 {
			t.Errorf("of %d partitions %d are left without one", n, s.Len())
		}
		s.update(wants(1, 1), nil)
		if got := s.Take(nil); s.Len() != n || len(got) != 1 || got[0].Part.Partition != 1 || s.parts.last != got[0].Part {
			t.Errorf("of %d partitions: %d, and %d to look at", n, s.Len(), len(got))
		}
	}
}

// Who begins to wait is told of what was marked before.
func TestMarkedBefore(t *testing.T) {
	s := New(false, false, wants(0, 1), time.Unix(1000, 0))
	select {
	case <-s.Marked():
	default:
		t.Error("nothing is told of a partition that is marked")
	}
}
