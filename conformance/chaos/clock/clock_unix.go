//go:build unix

package clock

import "golang.org/x/sys/unix"

// Now is CLOCK_MONOTONIC in nanoseconds.
func Now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("bug: there is no monotonic clock: " + err.Error())
	}
	return t.Nano()
}
