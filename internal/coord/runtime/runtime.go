package runtime

import (
	"context"
	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/base/failpoint"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	defaultMaxBytes      = 1 << 20
	defaultCommitTimeout = 5 * time.Second
)

// Config is what a Runtime is made of.
type Config[M Machine] struct {
	// New makes the empty machine of a partition.
	New func(partition int32) M
	// MaxBytes is the largest batch that the topic takes (max.message.bytes); nil is 1 MiB.
	MaxBytes func() int
	// CommitTimeout is how long an answer waits for what it saw to be committed
	// (offset.commit.timeout.ms); nil is 5 s.
	CommitTimeout func() time.Duration
	// Lease reports whether this node may answer: without it others may lead by now what
	// it believes to lead. Nil is always.
	Lease func() bool
	Clock clock.Clock
	// Room is the word before the names of the failpoints of who has the machines, which it
	// registers: see Failpoints. On tells there who this node is. Without Room none is hit.
	Room string
	On   any
	Log  *slog.Logger
}

// Failpoints are the steps of a command that writes, as failpoints of a room: before and
// after the append, and when all is committed but nobody told.
func Failpoints(room string) []string {
	return []string{room + ".append.before_write", room + ".append.after_write", room + ".reply.before_send"}
}

// Runtime hosts the machines of the partitions that this node leads. Safe for
// concurrent use.
type Runtime[M Machine] struct {
	cfg   Config[M]
	kicks chan struct{} // to Run: look again

	// mu guards what follows and is held for moments only. Taken before a shard's mu.
	mu     sync.Mutex
	shards map[int32]*shard[M]
	loads  []load[M] // waiting for a loader
	told   []*note[M]
	closed bool
}

// hit says that a command is at one of the Failpoints.
func (c *Config[M]) hit(step string) {
	if failpoint.Enabled && c.Room != "" {
		failpoint.Hit(c.Room+step, c.On)
	}
}

// New returns a Runtime that leads nothing. Nothing is loaded and no timer fires before
// Run.
func New[M Machine](cfg Config[M]) *Runtime[M] {
	if cfg.MaxBytes == nil {
		cfg.MaxBytes = func() int { return defaultMaxBytes }
	}
	if cfg.CommitTimeout == nil {
		cfg.CommitTimeout = func() time.Duration { return defaultCommitTimeout }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Runtime[M]{cfg: cfg, kicks: make(chan struct{}, 1), shards: map[int32]*shard[M]{}}
}

// Lead starts a leadership: the machine is loaded from log, and commands are answered
// COORDINATOR_LOAD_IN_PROGRESS until that is done. An earlier leadership of the
// partition ends; one of the same or a later epoch stays as it is, unless it lost its
// log.
func (r *Runtime[M]) Lead(partition, epoch int32, log Log) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.shards[partition]; old != nil {
		if old.epoch > epoch || old.epoch == epoch && !old.isLost() {
			return
		}
		old.leave(kerr.NotCoordinator)
	}
	if !r.closed {
		r.start(partition, epoch, log, time.Time{}, 0)
	}
}

// start queues the load of a fresh machine; mu is held.
func (r *Runtime[M]) start(partition, epoch int32, log Log, at time.Time, attempt int) {
	s := &shard[M]{
		partition: partition,
		epoch:     epoch,
		log:       log,
		logger:    r.cfg.Log.With("partition", partition, "epoch", epoch),
		maxBytes:  r.cfg.MaxBytes,
		clock:     r.cfg.Clock,
		kick:      r.kick,
		failed:    r.reload,
		machine:   r.cfg.New(partition),
		timers:    newTimers(),
		over:      make(chan struct{}),
		hit:       r.cfg.hit,
	}
	r.shards[partition] = s
	r.loads = append(r.loads, load[M]{shard: s, at: at, attempt: attempt})
	r.kick()
}

// Resign ends the leadership of a partition: whoever waits for it is answered
// NOT_COORDINATOR.
func (r *Runtime[M]) Resign(partition int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.shards[partition]; s != nil {
		delete(r.shards, partition)
		r.untell(partition)
		s.leave(kerr.NotCoordinator)
	}
}

// reload answers the loss of a machine: it is loaded again, unless the leadership has
// ended.
func (r *Runtime[M]) reload(s *shard[M], err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.shards[s.partition] != s {
		return
	}
	if lost(err) {
		// If others lead, Lead or Resign will come. But this node may lead on in the same
		// epoch, without a word from the image: it only had no lease for a moment. So the
		// log is tried again, as at the beginning of a leadership.
		s.logger.Info("coordinator lost its log", "error", err)
		r.start(s.partition, s.epoch, s.log, time.Now().Add(lostBackoff), 0)
		r.shards[s.partition].astray = true
		return
	}
	s.logger.Warn("coordinator state is loaded again", "error", err)
	r.start(s.partition, s.epoch, s.log, time.Time{}, 0)
}

// Led lists the partitions that are led here, loaded or not.
func (r *Runtime[M]) Led() []int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	led := make([]int32, 0, len(r.shards))
	for p := range r.shards {
		led = append(led, p)
	}
	slices.Sort(led)
	return led
}

func (r *Runtime[M]) shard(partition int32) (*shard[M], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, kerr.CoordinatorNotAvailable
	}
	s := r.shards[partition]
	if s == nil {
		return nil, kerr.NotCoordinator
	}
	return s, nil
}

func (r *Runtime[M]) kick() {
	select {
	case r.kicks <- struct{}{}:
	default:
	}
}

// Order says whether a command may be decided together with others.
type Order int

const (
	// Alone: the command sees everything that commands before it wrote.
	Alone Order = iota
	// Independent: its decision does not read what other independent commands write, so
	// it may share an append with them.
	Independent
)

// Do runs command on the machine of a partition and returns its answer once everything
// that it saw and wrote is committed.
func Do[M Machine, T any](ctx context.Context, r *Runtime[M], partition int32, o Order, command func(M, *Turn) (T, error)) (T, error) {
	return Await(ctx, r, partition, o, func(m M, t *Turn, d *Deferred[T]) {
		v, err := command(m, t)
		d.Give(t, v, err)
	})
}

// Await is Do for an answer that may come from a later command: the machine keeps the
// Deferred and gives it when it can. When ctx ends first, the machine is not told.
//
// Besides the command's own errors it returns NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE
// or COORDINATOR_LOAD_IN_PROGRESS, and REQUEST_TIMED_OUT if the commit takes too long.
func Await[M Machine, T any](ctx context.Context, r *Runtime[M], partition int32, o Order, command func(M, *Turn, *Deferred[T])) (T, error) {
	var none T
	s, err := r.shard(partition)
	if err != nil {
		return none, err
	}
	d := &Deferred[T]{done: make(chan struct{})}
	c := &order[M]{independent: o == Independent, wake: make(chan bool, 1)}
	c.run = func(m M, t *Turn) { command(m, t, d) }
	if err := s.do(c); err != nil {
		return none, err
	}
	select {
	case <-d.done:
	default:
		select {
		case <-d.done:
		case <-s.over:
			return none, s.reason()
		case <-ctx.Done():
			return none, context.Cause(ctx)
		}
	}
	if err := r.committed(ctx, s, d.end); err != nil {
		return none, err
	}
	r.cfg.hit(".reply.before_send")
	if r.cfg.Lease != nil && !r.cfg.Lease() {
		return none, kerr.NotCoordinator
	}
	return d.value, d.err
}

// committed waits for everything below end, for as long as the configuration allows.
func (r *Runtime[M]) committed(ctx context.Context, s *shard[M], end int64) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.cfg.CommitTimeout(), kerr.RequestTimedOut)
	defer cancel()
	return s.waitCommitted(ctx, end)
}
