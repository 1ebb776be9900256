//go:build !linux

package cli

import "errors"

// cpuSeconds is what a process has used.
func cpuSeconds(int) (float64, error) { return 0, errors.New("unknown on this system") }
