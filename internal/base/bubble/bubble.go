// Package bubble is the door of tests to faked time.
package bubble

import (
	"testing"
	"testing/synctest"
)

// Test is [synctest.Test], with one processor for its time where the race detector looks on.
//
// In Go 1.26 a bubble has one context of the detector for all its timers, and a timer that is due
// when it is set runs at once, on the processor of who sets it (modify in runtime/time.go). Two on
// two processors spoil the context; then the process ends by SIGSEGV or by a check of the detector
// itself, with no word of a race. One processor loses little: the detector asks what is ordered,
// not what happened at once.
func Test(t *testing.T, f func(*testing.T)) {
	t.Helper()
	defer oneProcessor()()
	synctest.Test(t, f)
}
