package partition

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/base/planted"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Waiter is woken when something moves in any of the partitions that it watches: the
// high watermark, the role, the disk. Watch first, then look, then wait on C: what
// happens between the look and the wait is not missed. One goroutine waits on it.
type Waiter struct {
	// C receives at least once after each change; changes that come together may be
	// told once.
	C chan struct{}
	// Notify, if it is set before Watch, is called at each change in place of filling C. A
	// lock of the partition is held: it must be quick and may not call the partition.
	Notify func()
	// Ends, set before Watch, has the waiter woken by appends too: who copies the log reads
	// up to its end, committed or not.
	Ends bool
	// local has it woken by what becomes durable here, too.
	local bool
}

// NewWaiter returns a waiter that watches nothing yet.
func NewWaiter() *Waiter { return &Waiter{C: make(chan struct{}, 1)} }

// Wake makes C ready, or calls Notify.
func (w *Waiter) Wake() {
	if w.Notify != nil {
		w.Notify()
		return
	}
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
	if _, known := p.waiters[w]; !known && w.Ends {
		p.copying.Add(1)
	}
	p.waiters[w] = struct{}{}
}

// Unwatch ends Watch.
func (p *Partition) Unwatch(w *Waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.waiters[w]; known && w.Ends {
		p.copying.Add(-1)
	}
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

// wakeLocal tells those who wait for what is durable here. mu is held.
func (p *Partition) wakeLocal() {
	for w := range p.waiters {
		if w.local {
			w.Wake()
		}
	}
}

// wakeStart tells who waits until followers have deleted records. A follower's own fetch
// does not: it would tell its log start again, and two of one follower that tell different
// ones would wake each other for ever. mu is held.
func (p *Partition) wakeStart() {
	for w := range p.waiters {
		if !w.Ends {
			w.Wake()
		}
	}
}

// appended wakes those who copy the log. Without any it costs a load.
func (p *Partition) appended() {
	if p.copying.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.waiters {
		if w.Ends {
			w.Wake()
		}
	}
}

// Wait blocks until the records below end, appended in the leader epoch given, are
// committed: the high watermark has passed them, so every replica in the ISR has them on
// stable storage (acks=all).
// It returns kerr.NotLeaderForPartition if leadership is lost first, though the records
// may survive that, kerr.NotEnoughReplicasAfterAppend if the ISR has become too small,
// kerr.RequestTimedOut if ctx ends by its deadline first, the cause of ctx if it ends
// otherwise, and an error that wraps kerr.KafkaStorageError if the disk fails.
func (p *Partition) Wait(ctx context.Context, end int64, epoch int32) error {
	return p.await(ctx, false, func() (bool, error) {
		switch {
		case p.failed != nil && p.hw.Load() < end:
			return false, p.failed
		case (p.role.Epoch != epoch || !p.role.Leading) && !planted.Is(planted.OldEpoch):
			// What stood below end may have been truncated since, and replaced.
			return false, kerr.NotLeaderForPartition
		case p.hw.Load() >= end:
			return true, nil
		case !p.role.safe(p.settings.Load().MinISR):
			return false, kerr.NotEnoughReplicasAfterAppend
		}
		return p.advance() && p.hw.Load() >= end, nil
	})
}

// WaitLocal blocks until the records below end, appended in the leader epoch given, are
// on stable storage here (acks=1).
// It fails as Wait does, and with kerr.NotLeaderForPartition if this broker has lost its
// lease: another may lead already.
func (p *Partition) WaitLocal(ctx context.Context, end int64, epoch int32) error {
	return p.await(ctx, true, func() (bool, error) {
		switch {
		case p.failed != nil && p.durable < end:
			return false, p.failed
		case p.role.Epoch != epoch || !p.role.Leading:
			return false, kerr.NotLeaderForPartition
		case p.durable >= end && p.lease != nil && !p.lease():
			return false, errLease
		}
		return p.durable >= end, nil
	})
}

// errLease tells a client to look for the leader: if there is none it will find this one
// again, when it has its lease back.
var errLease = fmt.Errorf("%w: the controller has not heard of this broker for too long", kerr.NotLeaderForPartition)

// await blocks until done says so, with mu held, or ctx ends. local has it look again when
// something becomes durable here, too.
func (p *Partition) await(ctx context.Context, local bool, done func() (bool, error)) error {
	var home Home
	look := func() (bool, <-chan time.Time, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		home = p.home
		if ok, err := done(); ok || err != nil {
			return ok, nil, err
		}
		return false, p.again(), nil
	}
	if ok, _, err := look(); ok {
		return err
	}
	home.Commit(p) // what was left to who waits, also if nothing is to be waited for any more
	if ok, _, err := look(); ok || err != nil {
		return err
	}
	w := NewWaiter()
	w.local = local
	p.Watch(w)
	defer p.Unwatch(w)
	for {
		ok, again, err := look()
		if ok || err != nil {
			return err
		}
		select {
		case <-w.C:
		case <-again:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return kerr.RequestTimedOut
			}
			return context.Cause(ctx)
		}
	}
}

// again is ready when something may have changed by time alone: the high watermark waits
// no longer for a follower that was about to join. mu is held.
func (p *Partition) again() <-chan time.Time {
	if p.tracker == nil {
		return nil
	}
	now := time.Now()
	until, ok := p.tracker.awaited(now)
	if !ok {
		return nil
	}
	return time.After(until.Sub(now) + time.Millisecond)
}
