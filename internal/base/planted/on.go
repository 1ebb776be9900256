//go:build planted

package planted

import (
	"fmt"
	"slices"
	"sync/atomic"
)

// Enabled says whether mistakes can be planted.
const Enabled = true

var planted atomic.Pointer[Bug]

// Is reports whether a mistake is planted.
func Is(b Bug) bool {
	p := planted.Load()
	return p != nil && *p == b
}

// Set plants a mistake in place of the one before; an empty name plants none.
func Set(b Bug) {
	if b == "" {
		planted.Store(nil)
		return
	}
	if !slices.Contains(All(), b) {
		panic(fmt.Sprintf("bug: there is no mistake %q to plant", b))
	}
	planted.Store(&b)
}
