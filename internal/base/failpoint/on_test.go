//go:build failpoint

package failpoint_test

import (
	"slices"
	"testing"

	"github.com/odradek/odradek/internal/base/failpoint"
)

var _ = failpoint.Register("test.one", "test.two")

func TestArm(t *testing.T) {
	var got []any
	disarm := failpoint.Arm("test.one", 2, func(on any) { got = append(got, on) })
	for i := range 4 {
		failpoint.Hit("test.one", i)
		failpoint.Hit("test.two", i)
	}
	disarm()
	failpoint.Arm("test.two", 1, func(on any) { got = append(got, on) })()
	failpoint.Hit("test.two", 9)
	if !slices.Equal(got, []any{1}) {
		t.Errorf("ran with %v, want once, at the second hit", got)
	}
	if failpoint.Hits("test.one") != 4 || !slices.Contains(failpoint.Names(), "test.two") {
		t.Errorf("%d hits of %v", failpoint.Hits("test.one"), failpoint.Names())
	}
}

func TestUnknownNameIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	failpoint.Hit("test.three", nil)
}
