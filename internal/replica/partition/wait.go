package partition

import (
	"context"
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Waiter is woken when something moves in any of the partitions that it watches: the
// high watermark, the role, the disk. Watch first, then look, then wait on C: what
// happens between the look and the wait is not missed. One goroutine waits on it.
type Waiter struct {
	// C receives at least once after each change; changes that come together may be
	// told once.
	C chan struct{}
}

// NewWaiter returns a waiter that watches nothing yet.
func NewWaiter() *Waiter { return &Waiter{C: make(chan struct{}, 1)} }

// Wake makes C ready.
func (w *Waiter) Wake() {
	select {
	case w.C <- struct{}{}:
	default:
	}
}

// Watch wakes w at every change from now on, until Unwatch.
func (p *Partition) Watch(w *Waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiters == nil {
		p.waiters = make(map[*Waiter]struct{}, 1)
	}
	p.waiters[w] = struct{}{}
}

// Unwatch ends Watch.
func (p *Partition) Unwatch(w *Waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiters, w)
	if len(p.waiters) == 0 {
		p.waiters = nil
	}
}

// wake tells every waiter. mu is held.
func (p *Partition) wake() {
	for w := range p.waiters {
		w.Wake()
	}
}

// Wait blocks until the records below end, appended in the leader epoch given, are
// committed (the high watermark has passed them) and so on stable storage.
// It returns kerr.NotLeaderForPartition if leadership is lost first,
// kerr.RequestTimedOut if ctx ends by its deadline first, the cause of ctx if it ends
// otherwise, and an error that wraps kerr.KafkaStorageError if the disk fails.
func (p *Partition) Wait(ctx context.Context, end int64, epoch int32) error {
	if done, err := p.waited(end, epoch); done || err != nil {
		return err
	}
	w := NewWaiter()
	p.Watch(w)
	defer p.Unwatch(w)
	for {
		done, err := p.waited(end, epoch)
		if done || err != nil {
			return err
		}
		select {
		case <-w.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return kerr.RequestTimedOut
			}
			return context.Cause(ctx)
		}
	}
}

func (p *Partition) waited(end int64, epoch int32) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failed != nil && p.hw.Load() < end:
		return false, p.failed
	case p.role.Epoch != epoch || !p.role.Leading:
		// What stood below end may have been truncated since, and replaced.
		return false, kerr.NotLeaderForPartition
	}
	return p.hw.Load() >= end, nil
}

// Durable reports that everything below end is on stable storage here. It is quick and
// never blocks; the journal calls it, with its lock held.
func (p *Partition) Durable(end int64) {
	if log := p.log.Load(); log != nil && end > log.End() {
		p.Failed(fmt.Errorf("%w: %s is reported durable up to %d and ends at %d", commitlog.ErrInvariant, p.tp, end, log.End()))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil || end <= p.durable {
		return
	}
	p.durable = end
	p.advance()
}

// advance moves the high watermark to what every in-sync replica has made durable.
// With this replica alone in the ISR that is its own durable end. mu is held.
func (p *Partition) advance() {
	if p.durable > p.hw.Load() {
		p.hw.Store(p.durable)
		p.wake()
	}
}
