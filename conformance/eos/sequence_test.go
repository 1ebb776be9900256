package eos

import (
	"strings"
	"testing"
)

// A reader that is shown a record twice, none, two in the wrong order or one of another
// partition says so: a check that cannot fail shows nothing.
func TestLossIsSeen(t *testing.T) {
	for name, c := range map[string]struct{ values, want string }{
		"good":            {"0/0 0/1 0/2", ""},
		"twice":           {"0/0 0/1 0/1 0/2", "1 came again"},
		"the whole again": {"0/0 0/1 0/0 0/1", "0 came again"},
		"lost":            {"0/0 0/2", "1 to 1 are missing"},
		"the first lost":  {"0/1 0/2", "0 to 0 are missing"},
		"out of order":    {"0/0 0/2 0/1", "1 to 1 are missing"},
		"of another":      {"0/0 1/1", `has "1/1"`},
		"of nobody":       {"0/0 x", `has "x"`},
	} {
		s := newSequence()
		for i, v := range strings.Fields(c.values) {
			s.see(0, int64(i), v)
		}
		if got := strings.Join(s.wrong, "; "); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	s := newSequence()
	s.see(0, 0, "0/0")
	if s.complete(map[int32]int64{0: 2}) || !s.complete(map[int32]int64{0: 1}) || s.complete(map[int32]int64{0: 1, 1: 1}) {
		t.Error("complete is not what was put in")
	}
}
