//go:build !planted

package planted_test

import (
	"testing"

	"github.com/odradek/odradek/internal/base/planted"
)

// A release can make none of the mistakes.
func TestOff(t *testing.T) {
	for _, b := range planted.All() {
		if planted.Enabled || planted.Is(b) {
			t.Errorf("a release has %s", b)
		}
	}
}
