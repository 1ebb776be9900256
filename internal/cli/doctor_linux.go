package cli

import "golang.org/x/sys/unix"

// clockSynced reports whether the kernel's clock is kept in step with others.
func clockSynced() (bool, error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t) // changes nothing: t.Modes is 0
	return state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, err
}
