package runtime

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	loaders   = 4       // machines that are loaded at the same time
	readBytes = 1 << 20 // a load reads pieces of this size
	// A load that failed is tried again after a while that doubles.
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	// A log that is not ours yet will be soon: the partition learns of its role as we do.
	roleBackoff = 10 * time.Millisecond
	// A log that was lost while it was ours is more likely gone for good.
	lostBackoff = 100 * time.Millisecond
)

// load is a machine that waits to be loaded, not before at.
type load[M Machine] struct {
	shard   *shard[M]
	at      time.Time
	attempt int
}

// Run loads machines and fires their timers until ctx ends; then every leadership ends,
// and commands are answered COORDINATOR_NOT_AVAILABLE. It returns nil.
func (r *Runtime[M]) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	defer r.close()
	idle := make(chan struct{}, loaders) // a token for each loader that is free
	for range loaders {
		idle <- struct{}{}
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next := r.fireDue()
		if at := r.runTold(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
		if at := r.startLoads(ctx, idle, &group); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
		wait := time.Hour
		if !next.IsZero() {
			wait = time.Until(next)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-r.kicks:
		}
	}
}

// close ends every leadership.
func (r *Runtime[M]) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.loads = nil
	for _, s := range r.shards {
		s.leave(kerr.CoordinatorNotAvailable)
	}
}

// fireDue fires the timers that are due and returns the earliest deadline that is not.
func (r *Runtime[M]) fireDue() time.Time {
	var next time.Time
	for _, p := range r.Led() {
		s, err := r.shard(p)
		if err != nil {
			continue
		}
		if at, ok := s.due(); ok && !at.After(time.Now()) {
			s.fire()
		}
		if at, ok := s.due(); ok && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// startLoads hands loads to free loaders and returns when the earliest of the others
// may start, zero if that depends on a loader.
func (r *Runtime[M]) startLoads(ctx context.Context, idle chan struct{}, group *sync.WaitGroup) time.Time {
	for {
		l, at, ok := r.nextLoad()
		if !ok {
			return at
		}
		select {
		case <-idle:
		default:
			r.mu.Lock()
			r.loads = append(r.loads, l)
			r.mu.Unlock()
			return time.Time{}
		}
		group.Go(func() {
			r.load(ctx, l)
			idle <- struct{}{}
			r.kick()
		})
	}
}

// nextLoad takes the first load that may start, or tells when one may.
func (r *Runtime[M]) nextLoad() (l load[M], at time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for i, l := range r.loads {
		if !l.at.After(now) {
			r.loads = append(r.loads[:i:i], r.loads[i+1:]...)
			return l, at, true
		}
		if at.IsZero() || l.at.Before(at) {
			at = l.at
		}
	}
	return l, at, false
}

// load fills a machine from its log and opens it for commands.
func (r *Runtime[M]) load(ctx context.Context, l load[M]) {
	s, start := l.shard, time.Now()
	records, err := s.replayLog(ctx)
	if err == nil {
		s.open()
		s.logger.Debug("coordinator state loaded", "records", records, "took", time.Since(start))
		return
	}
	if !s.leave(kerr.CoordinatorNotAvailable) || ctx.Err() != nil {
		return // the leadership ended meanwhile
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.shards[s.partition] != s {
		return
	}
	wait := s.backoff(err, l.attempt)
	r.start(s.partition, s.epoch, s.log, time.Now().Add(wait), l.attempt+1)
	r.shards[s.partition].astray = s.astray
}

// backoff is how long a load waits that has failed.
func (s *shard[M]) backoff(err error, attempt int) time.Duration {
	if lost(err) {
		wait := min(roleBackoff<<min(attempt, 12), maxBackoff)
		s.logger.Info("coordinator waits for its log", "reason", err, "retry", wait)
		return wait
	}
	wait := min(minBackoff<<min(attempt, 8), maxBackoff)
	s.logger.Error("coordinator state cannot be loaded", "error", err, "retry", wait)
	return wait
}

// replayLog replays the log from its start to its end, once this replica leads it: while
// it follows its end may grow, or be truncated.
func (s *shard[M]) replayLog(ctx context.Context) (records int, err error) {
	if err := s.log.Wait(ctx, 0, s.epoch); lost(err) {
		return 0, fmt.Errorf("lead the log: %w", err)
	}
	at := int64(0)
	s.bare = true
	for {
		if err := s.interrupted(ctx); err != nil {
			return records, err
		}
		bytes, next, err := s.log.ReadLog(at, readBytes)
		if err != nil {
			return records, fmt.Errorf("read the log at offset %d: %w", at, err)
		}
		if len(bytes) == 0 {
			s.end = max(at, next)
			return records, nil
		}
		n, err := s.replayBatches(bytes)
		records += n
		if err != nil {
			return records, err
		}
		s.bare = false
		if next <= at {
			return records, fmt.Errorf("read the log at offset %d: next offset is %d", at, next)
		}
		at = next
	}
}

func (s *shard[M]) interrupted(ctx context.Context) error {
	select {
	case <-s.over:
		return s.reason()
	default:
		return ctx.Err()
	}
}

func (s *shard[M]) replayBatches(bytes []byte) (records int, err error) {
	for len(bytes) > 0 {
		var b record.Batch
		b, bytes, err = record.Split(bytes)
		if err != nil {
			return records, fmt.Errorf("split the log: %w", err)
		}
		for e, err := range entries(b) {
			if err != nil {
				return records, fmt.Errorf("batch at offset %d: %w", b.BaseOffset(), err)
			}
			if err := s.machine.Replay(e); err != nil {
				return records, fmt.Errorf("replay offset %d: %w", e.Offset, err)
			}
			records++
		}
	}
	return records, nil
}

// open lets commands run, after the machine has set the timers of what it found.
func (s *shard[M]) open() {
	t := s.turn()
	t.run(func() { s.machine.Loaded(t) })
	s.mu.Lock()
	if s.status == loading {
		s.status, s.running = active, true
	}
	ours := s.running
	s.mu.Unlock()
	if !ours {
		return
	}
	if s.settle(t, nil) {
		s.noteDeadline()
	}
	s.drain()
	s.kick() // to what it was told meanwhile
}
