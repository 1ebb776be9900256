package wire

import (
	"context"
	"sync"

	"github.com/odradek/odradek/internal/base/pool"
)

// Budget bounds the bytes of requests in flight over all connections (Kafka's
// queued.max.request.bytes, always on). Whoever must wait waits in line.
//
// A small frame is admitted whole. A large one is admitted in steps, as its bytes
// arrive, so that a length that was only claimed holds nothing. Frames that have
// begun could then wait for one another for ever; so one of them at a time may
// overdraw. What is held is therefore at most the limit and one largest frame.
type Budget struct {
	limit int64

	mu       sync.Mutex // guards all below; taken last, held over nothing that waits
	used     int64
	overdraw bool // a frame holds the right to overdraw
	line     []*waiter
}

type waiter struct {
	n       int64
	growing bool
	granted chan bool // buffered; true: by overdraft
}

// NewBudget makes a budget of limit bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Used is what is held now.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// contended reports whether somebody waits.
func (b *Budget) contended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.line) > 0
}

// hold is a share of a budget. The zero hold holds nothing.
type hold struct {
	b        *Budget
	n        int64
	overdraw bool
}

// try takes n bytes if nobody is in line and they fit. What is larger than the limit
// fits when nothing else is held.
func (b *Budget) try(h *hold, n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.line) > 0 || !b.fits(int64(n)) {
		return false
	}
	b.take(h, int64(n))
	return true
}

func (b *Budget) fits(n int64) bool { return b.used == 0 || b.used+n <= b.limit }

func (b *Budget) take(h *hold, n int64) {
	b.used += n
	h.b, h.n = b, h.n+n
}

// admit takes n bytes for a frame that begins, or waits in line for them.
func (b *Budget) admit(ctx context.Context, h *hold, n int) error {
	if b.try(h, n) {
		return nil
	}
	return b.wait(ctx, h, &waiter{n: int64(n), granted: make(chan bool, 1)})
}

// grow takes n more bytes for a frame that has begun. It waits only while another
// frame overdraws.
func (b *Budget) grow(ctx context.Context, h *hold, n int) error {
	b.mu.Lock()
	if h.overdraw || !b.overdraw || b.fits(int64(n)) {
		if !h.overdraw && !b.fits(int64(n)) {
			b.overdraw, h.overdraw = true, true
		}
		b.take(h, int64(n))
		b.mu.Unlock()
		return nil
	}
	b.mu.Unlock()
	return b.wait(ctx, h, &waiter{n: int64(n), growing: true, granted: make(chan bool, 1)})
}

func (b *Budget) wait(ctx context.Context, h *hold, w *waiter) error {
	b.mu.Lock()
	b.line = append(b.line, w)
	b.serve()
	b.mu.Unlock()
	select {
	case over := <-w.granted:
		h.b, h.n, h.overdraw = b, h.n+w.n, over
		return nil
	case <-ctx.Done():
		b.leave(w)
		return context.Cause(ctx)
	}
}

// leave takes w out of the line, or gives back what it was granted meanwhile.
func (b *Budget) leave(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, x := range b.line {
		if x == w {
			b.line = append(b.line[:i], b.line[i+1:]...)
			b.serve()
			return
		}
	}
	b.give(w.n, <-w.granted)
}

// serve grants, in order, what fits. A growing frame may pass those that have not
// begun: they would wait for it.
func (b *Budget) serve() {
	blocked := false
	kept := b.line[:0]
	for _, w := range b.line {
		over := w.growing && !b.overdraw && !b.fits(w.n)
		if over || b.fits(w.n) && (w.growing || !blocked) {
			b.used += w.n
			b.overdraw = b.overdraw || over
			w.granted <- over
			continue
		}
		blocked = true
		kept = append(kept, w)
	}
	clear(b.line[len(kept):])
	b.line = kept
}

func (b *Budget) give(n int64, overdraw bool) {
	b.used -= n
	if overdraw {
		b.overdraw = false
	}
	if b.used < 0 {
		panic("bug: wire: budget given back twice")
	}
	b.serve()
}

// release gives back what h holds; a second time it does nothing.
func (h *hold) release() {
	if h.b == nil {
		return
	}
	h.b.mu.Lock()
	h.b.give(h.n, h.overdraw)
	h.b.mu.Unlock()
	*h = hold{}
}

// lease is a reference to a pooled buffer that is given back once.
type lease struct{ buf *pool.Buf }

func (l *lease) release() {
	if l.buf != nil {
		l.buf.Release()
		l.buf = nil
	}
}
