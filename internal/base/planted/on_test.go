//go:build planted

package planted_test

import (
	"testing"

	"github.com/odradek/odradek/internal/base/planted"
)

func TestSet(t *testing.T) {
	defer planted.Set("")
	for _, b := range planted.All() {
		planted.Set(b)
		for _, other := range planted.All() {
			if planted.Is(other) != (other == b) {
				t.Errorf("with %s planted, %s is %v", b, other, planted.Is(other))
			}
		}
	}
	if planted.Set(""); planted.Is(planted.TwoOwners) {
		t.Error("something is planted after nothing was")
	}
}

func TestUnknownNameIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	planted.Set("NoSuchMistake")
}
