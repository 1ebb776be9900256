//go:build planted

package planted

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
)

// Enabled says whether mistakes can be planted.
const Enabled = true

// Variable is that of the environment which plants a mistake from the start.
const Variable = "ODRADEK_PLANTED"

var planted atomic.Pointer[Bug]

func init() { Set(Bug(os.Getenv(Variable))) }

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
