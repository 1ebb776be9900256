package lan

import (
	"container/heap"
	"io"
	"sync"
	"time"
)

// postman delivers packets at their times to one machine. What is held up is bounded: as
// with any queue in a network, what does not fit is lost.
type postman struct {
	to   io.Writer
	wake chan struct{}

	mu    sync.Mutex // guards what follows
	bag   bag
	bytes int
	count uint64
	shut  bool
}

// maxHeld is the most that a postman carries: at 50 ms, 1.2 GB/s.
const maxHeld = 64 << 20

func newPostman(to io.Writer) *postman { return &postman{to: to, wake: make(chan struct{}, 1)} }

// take keeps a copy of a packet until its time, and tells whether there was room.
func (p *postman) take(packet []byte, due time.Time) bool {
	p.mu.Lock()
	if p.shut || p.bytes+len(packet) > maxHeld {
		p.mu.Unlock()
		return false
	}
	p.count++
	p.bytes += len(packet)
	heap.Push(&p.bag, letter{due, p.count, append([]byte(nil), packet...)})
	first := p.bag[0].n == p.count
	p.mu.Unlock()
	if first {
		p.nudge()
	}
	return true
}

func (p *postman) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *postman) close() {
	p.mu.Lock()
	p.shut = true
	p.mu.Unlock()
	p.nudge()
}

// run delivers until close.
func (p *postman) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		packet, wait, ok := p.next(time.Now())
		switch {
		case !ok:
			return
		case packet != nil:
			_, _ = p.to.Write(packet)
			continue
		case wait > 0:
			timer.Reset(wait)
		default:
			timer.Stop()
		}
		select {
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// next is the packet that is due, or how long until one is, or neither if there is none.
// It is not ok when the postman has closed.
func (p *postman) next(now time.Time) (packet []byte, wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		return nil, 0, false
	}
	if len(p.bag) == 0 {
		return nil, 0, true
	}
	if wait := p.bag[0].due.Sub(now); wait > 0 {
		return nil, wait, true
	}
	l := heap.Pop(&p.bag).(letter)
	p.bytes -= len(l.packet)
	return l.packet, 0, true
}

// letter is a packet that is held up.
type letter struct {
	due    time.Time
	n      uint64 // which was taken first, for those of one instant
	packet []byte
}

// bag is a heap by due times.
type bag []letter

func (b bag) Len() int { return len(b) }
func (b bag) Less(i, j int) bool {
	if !b[i].due.Equal(b[j].due) {
		return b[i].due.Before(b[j].due)
	}
	return b[i].n < b[j].n
}
func (b bag) Swap(i, j int) { b[i], b[j] = b[j], b[i] }
func (b *bag) Push(x any)   { *b = append(*b, x.(letter)) }
func (b *bag) Pop() any {
	old := *b
	last := old[len(old)-1]
	old[len(old)-1] = letter{}
	*b = old[:len(old)-1]
	return last
}
