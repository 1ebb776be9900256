package fetcher

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
)

// inbox is what a fetcher is told by others.
type inbox struct {
	kick chan struct{} // one token when there is news

	mu      sync.Mutex // guards what follows, for moments only
	changes map[model.IDPartition]change
	// polling ends the request that is under way, which may last until the time given;
	// nil if there is none.
	polling context.CancelCauseFunc
	until   time.Time
}

// change is the last word on a partition: a replica to follow in an epoch, or nil.
type change struct {
	replica Replica
	epoch   int32
	anew    bool // though it is followed in that epoch already
}

// errInterrupted ends a request that waits for records while there is news.
var errInterrupted = errors.New("there is news")

// patience is for how long news may wait for the answer to a request.
const patience = 50 * time.Millisecond

// tell leaves word on a partition. A leader that waits for records is not waited for: the
// connection is given up, which costs a request that names every partition; so, while
// news come, requests are made that do not wait long.
func (b *inbox) tell(id model.IDPartition, c change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changes[id] = c
	if c.replica != nil {
		b.interrupt()
	}
	b.wake()
}

// wake makes kick ready.
func (b *inbox) wake() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// interrupt ends a long wait. mu is held.
func (b *inbox) interrupt() {
	if b.polling != nil && time.Until(b.until) > patience {
		b.polling(errInterrupted)
	}
}

// hurry has the leader tried again at once, on a new connection: it has come back, maybe
// elsewhere.
func (b *inbox) hurry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.polling != nil {
		b.polling(errInterrupted)
	}
	b.wake()
}

// poll notes that a request is under way, until done is called. It tells how long the
// request may wait: not at all if there is news already.
func (b *inbox) poll(ctx context.Context, most time.Duration) (_ context.Context, wait time.Duration, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait = most; len(b.changes) > 0 {
		wait = 0
	}
	b.polling, b.until = cancel, time.Now().Add(wait)
	return ctx, wait, func() {
		b.mu.Lock()
		b.polling = nil
		b.mu.Unlock()
		cancel(nil)
	}
}

// take empties the inbox.
func (b *inbox) take() map[model.IDPartition]change {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.kick:
	default:
	}
	if len(b.changes) == 0 {
		return nil
	}
	taken := b.changes
	b.changes = make(map[model.IDPartition]change)
	return taken
}
