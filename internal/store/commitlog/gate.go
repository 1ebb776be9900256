package commitlog

// gate is a mutex whose wait is a channel operation: it may be held across the disk.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) lock()   { g <- struct{}{} }
func (g gate) unlock() { <-g }
