//go:build !failpoint

package failpoint_test

import (
	"testing"

	"github.com/odradek/odradek/internal/base/failpoint"
)

// A release knows no failpoints and pays nothing for them.
func TestOff(t *testing.T) {
	failpoint.Register("test.one")
	if got := testing.AllocsPerRun(100, func() { failpoint.Hit("test.one", t) }); got != 0 {
		t.Errorf("%v allocations a hit", got)
	}
	if failpoint.Enabled || len(failpoint.Names()) != 0 {
		t.Errorf("a release has failpoints: %v", failpoint.Names())
	}
}
