package quorum

import "sync"

// bell wakes all who listen, and costs nothing while nobody does.
type bell struct {
	mu sync.Mutex // guards ch; held over no wait
	ch chan struct{}
}

// listen returns a channel that the next ring closes. Listen first, then look.
func (b *bell) listen() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
