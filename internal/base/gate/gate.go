// Package gate has a lock that may be held across the disk. A goroutine that waits for
// it is durably blocked in the sense of testing/synctest, so that a slow disk in a
// bubble lets time go on; waiting for a sync.Mutex does not. It owns no goroutines.
package gate

// Gate is a mutual exclusion lock made of a channel. Make it with New, inside the
// bubble that uses it.
type Gate chan struct{}

// New returns an open gate.
func New() Gate { return make(Gate, 1) }

// Lock waits until the gate is open and closes it.
func (g Gate) Lock() { g <- struct{}{} }

// TryLock closes the gate if it is open, and tells whether it was.
func (g Gate) TryLock() bool {
	select {
	case g <- struct{}{}:
		return true
	default:
		return false
	}
}

// Unlock opens the gate. It panics if the gate is open.
func (g Gate) Unlock() {
	select {
	case <-g:
	default:
		panic("bug: unlock of an open gate")
	}
}
