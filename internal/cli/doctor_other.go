//go:build !linux

package cli

import (
	"fmt"
	"runtime"
)

// clockSynced reports whether the clock is kept in step with others.
func clockSynced() (bool, error) {
	return false, fmt.Errorf("%s does not tell", runtime.GOOS)
}
