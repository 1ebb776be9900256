package txn

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/cluster/brokers"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register(runtime.Failpoints("txn")...)

// Settings are the broker's configs that the coordinator reads whenever it needs them.
// Zero means the default.
type Settings struct {
	MaxTimeout     time.Duration // transaction.max.timeout.ms, 15 min
	IDExpiration   time.Duration // transactional.id.expiration.ms, 7 days
	AbortInterval  time.Duration // transaction.abort.timed.out.transaction.cleanup.interval.ms, 10 s
	ExpiryInterval time.Duration // transaction.remove.expired.transaction.cleanup.interval.ms, 1 h
	CommitTimeout  time.Duration // how long an answer waits for its record to be replicated, 5 s
	MaxRecordBytes int           // max.message.bytes of __transaction_state, 1 MiB
}

func (s Settings) withDefaults() Settings {
	orDuration(&s.MaxTimeout, 15*time.Minute)
	orDuration(&s.IDExpiration, 7*24*time.Hour)
	orDuration(&s.AbortInterval, 10*time.Second)
	orDuration(&s.ExpiryInterval, time.Hour)
	orDuration(&s.CommitTimeout, 5*time.Second)
	if s.MaxRecordBytes == 0 {
		s.MaxRecordBytes = 1 << 20
	}
	return s
}

func orDuration(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Config is what a Service is made of.
type Config struct {
	// Partitions is the number of partitions of __transaction_state
	// (transaction.state.log.num.partitions while the topic does not exist); 0 means that
	// it is not known yet.
	Partitions func() int32
	// Settings returns the current settings; nil is the defaults.
	Settings func() Settings
	// TxnVersion is the finalized transaction.version, 0 if there is none.
	TxnVersion func() int16
	// ProducerID returns a producer id that nobody had.
	ProducerID func(context.Context) (int64, error)
	// FirstEpoch is what the epochs of a new producer id begin with, 0 if nobody wants to see
	// them end.
	FirstEpoch int16
	// GroupPartition is the partition of __consumer_offsets that holds a group, -1 if it
	// is not known.
	GroupPartition func(group string) int32
	// Leader is the broker that leads a partition now, model.NoLeader if none does. The
	// partition does not exist, or no longer, without exists.
	Leader func(model.TopicPartition) (node, epoch int32, exists bool)
	// Ask has a broker answer a request.
	Ask brokers.Ask
	// Lease reports whether this node may answer: without it others may coordinate by now
	// the transactions that it believes to coordinate. Nil is always.
	Lease func() bool
	Clock clock.Clock
	// On tells who this node is, at failpoints.
	On  any
	Log *slog.Logger
}

// Service answers the requests of transactional ids whose partition is led here. Each
// method blocks until what it answers is committed, and always returns a response of the
// request's version. Safe for concurrent use.
type Service struct {
	cfg     Config
	runtime *runtime.Runtime[*machine]
	sender  *sender
	clerks  clerks
}

// New returns a Service that leads nothing.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg}
	s.sender = newSender(cfg, s.acknowledge)
	s.clerks.states = map[int32]clerkState{}
	s.runtime = runtime.New(runtime.Config[*machine]{
		New: func(p int32) *machine {
			return newMachine(s.settings, cfg.TxnVersion, s.sender.begin(p), func() { s.chores(p) }, cfg.Log.With("partition", p))
		},
		MaxBytes:      func() int { return s.settings().MaxRecordBytes },
		CommitTimeout: func() time.Duration { return s.settings().CommitTimeout },
		Lease:         cfg.Lease,
		Clock:         cfg.Clock,
		Room:          "txn", On: cfg.On,
		Log: cfg.Log,
	})
	return s
}

// Run loads transactional ids, fires their timers and sends markers until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	g := run.New(ctx, "txn")
	s.sender.start(g)
	s.clerks.start(g)
	g.Go("runtime", s.runtime.Run)
	g.Go("markers", s.sender.run)
	g.Go("ending", func(ctx context.Context) error {
		<-ctx.Done()
		s.sender.stop()
		s.clerks.stop()
		return nil
	})
	return g.Wait()
}

// Lead makes this node the coordinator of the ids of one partition of
// __transaction_state, under a leader epoch. Until its log is loaded requests are answered
// COORDINATOR_LOAD_IN_PROGRESS.
func (s *Service) Lead(partition, epoch int32, log runtime.Log) {
	s.sender.lead(partition, epoch)
	s.runtime.Lead(partition, epoch, log)
}

// Resign ends that; who waits is answered NOT_COORDINATOR, and no marker is sent any more.
func (s *Service) Resign(partition int32) {
	s.runtime.Resign(partition)
	s.sender.resign(partition)
}

// ImageMoved says that partitions may have other leaders: markers that could not be
// delivered to the old ones try the new ones.
func (s *Service) ImageMoved() { s.sender.moved() }

// PartitionFor is the partition of __transaction_state that holds a transactional id, -1
// if the number of partitions is not known.
func (s *Service) PartitionFor(id string) int32 {
	n := s.cfg.Partitions()
	if n <= 0 {
		return -1
	}
	return model.CoordinatorPartition(id, n)
}

func (s *Service) settings() Settings {
	if s.cfg.Settings == nil {
		return Settings{}.withDefaults()
	}
	return s.cfg.Settings().withDefaults()
}

// outcome is what a command gives: its answer, an error that is an answer too, and the
// markers that follow once that is committed.
type outcome[T any] struct {
	value T
	job   *job
	err   error
}

// do runs a command on the partition of a transactional id.
func do[T any](ctx context.Context, s *Service, id string, o runtime.Order, command func(*machine, *runtime.Turn) (T, *job, error)) (T, error) {
	return on(ctx, s, s.PartitionFor(id), o, command)
}

// on runs a command on a partition, and sends the markers that it prepared.
func on[T any](ctx context.Context, s *Service, p int32, o runtime.Order, command func(*machine, *runtime.Turn) (T, *job, error)) (T, error) {
	var none T
	if p < 0 {
		return none, kerr.CoordinatorNotAvailable
	}
	var prepared *job
	got, err := runtime.Do(ctx, s.runtime, p, o, func(m *machine, t *runtime.Turn) (outcome[T], error) {
		v, j, err := command(m, t)
		if j != nil {
			j.serial = m.serial
			prepared = j
		}
		return outcome[T]{v, j, err}, nil
	})
	if err != nil {
		if prepared != nil {
			// It may be committed yet, and then it is for the clerk.
			s.giveBack(p, []*job{prepared})
		}
		return none, err
	}
	if got.job != nil {
		s.sender.add(p, []*job{got.job})
	}
	return got.value, got.err
}

// post runs a command and does not wait for what it writes: nobody is told of it.
func (s *Service) post(p int32, command func(*machine, *runtime.Turn)) {
	_, _ = runtime.Do(over, s.runtime, p, runtime.Independent, func(m *machine, t *runtime.Turn) (struct{}, error) {
		command(m, t)
		return struct{}{}, nil
	})
}

// over is a context that has ended: with it a command is run, and its commit is not
// waited for.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// clerks see to what machines have to do of their own accord: one for a partition that has
// something, while it has. They wait for commits, which machines and timers must not.
type clerks struct {
	mu     sync.Mutex // guards what follows, for moments only
	group  *run.Group
	states map[int32]clerkState
}

// clerkState: no entry: nothing to do.
type clerkState uint8

const (
	atWork     clerkState = 1 + iota
	calledBack            // at work, and there is more
)

func (c *clerks) start(g *run.Group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.group = g
}

// stop lets nobody begin any more.
func (c *clerks) stop() { c.start(nil) }

// chores has a clerk see to a partition.
func (s *Service) chores(p int32) {
	c := &s.clerks
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.group == nil:
	case c.states[p] != 0:
		c.states[p] = calledBack
	default:
		c.states[p] = atWork
		c.group.Go("clerk", func(ctx context.Context) error { s.clerk(ctx, p); return nil })
	}
}

// rest reports whether a clerk has nothing left to do.
func (c *clerks) rest(p int32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.states[p] == calledBack {
		c.states[p] = atWork
		return false
	}
	delete(c.states, p)
	return true
}

// clerkBackoff is between two tries to do what a log does not take.
const clerkBackoff = time.Second

// clerk does the chores of a partition until none is left, or the partition is.
func (s *Service) clerk(ctx context.Context, p int32) {
	for {
		again, err := s.attend(ctx, p)
		switch {
		case err != nil && !lasting(err):
			wait := clerkBackoff
			if errors.Is(err, kerr.CoordinatorLoadInProgress) {
				wait = minBackoff // it is loaded, and has said so a moment before it takes commands
			}
			select {
			case <-time.After(wait):
				continue
			case <-ctx.Done():
				return
			}
		case err == nil && again:
			continue
		}
		if s.clerks.rest(p) {
			return
		}
	}
}

// attend does chores once, and reports whether they have made more.
func (s *Service) attend(ctx context.Context, p int32) (again bool, err error) {
	var taken []*job
	_, err = runtime.Do(ctx, s.runtime, p, runtime.Independent, func(m *machine, t *runtime.Turn) (struct{}, error) {
		taken, again = m.attend(t)
		return struct{}{}, nil
	})
	if err != nil {
		s.restore(p, taken)
		return false, err
	}
	s.sender.add(p, taken)
	return again, nil
}

// giveBack leaves markers that were taken to the clerk.
func (s *Service) giveBack(p int32, taken []*job) {
	s.restore(p, taken)
	s.chores(p)
}

func (s *Service) restore(p int32, taken []*job) {
	if len(taken) > 0 {
		s.post(p, func(m *machine, _ *runtime.Turn) { m.restore(taken) })
	}
}

// acknowledge tells a machine which markers have been written.
func (s *Service) acknowledge(p int32, acks []*job) {
	s.post(p, func(m *machine, t *runtime.Turn) { m.acknowledge(t, acks) })
}
