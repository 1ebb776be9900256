package group

import (
	"context"
	"encoding/hex"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/cluster/brokers"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/group/assign"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register(runtime.Failpoints("group")...)

// Settings are the broker's configs that the coordinator reads whenever it needs them.
// Zero means the default.
type Settings struct {
	InitialRebalanceDelay  time.Duration // group.initial.rebalance.delay.ms, 3 s; negative is none
	MinSessionTimeout      time.Duration // group.min.session.timeout.ms, 6 s
	MaxSessionTimeout      time.Duration // group.max.session.timeout.ms, 30 min
	MaxSize                int           // group.max.size, no limit
	OffsetsRetention       time.Duration // offsets.retention.minutes, 7 days
	RetentionCheckInterval time.Duration // offsets.retention.check.interval.ms, 10 min
	MetadataMaxBytes       int           // offset.metadata.max.bytes, 4096
	CommitTimeout          time.Duration // offset.commit.timeout.ms, 5 s
	MaxRecordBytes         int           // max.message.bytes of __consumer_offsets, 1 MiB

	// Of consumer groups.
	ConsumerSession        time.Duration // group.consumer.session.timeout.ms, 45 s
	ConsumerHeartbeat      time.Duration // group.consumer.heartbeat.interval.ms, 5 s
	ConsumerMaxSize        int           // group.consumer.max.size, no limit
	ConsumerAssignors      []string      // group.consumer.assignors, uniform and range; the first is the default
	ConsumerMigration      Migration     // group.consumer.migration.policy, both ways
	ConsumerPatternRefresh time.Duration // group.consumer.regex.refresh.interval.ms, 10 min

	// Of share groups.
	ShareSession         time.Duration // group.share.session.timeout.ms, 45 s
	ShareHeartbeat       time.Duration // group.share.heartbeat.interval.ms, 5 s
	ShareMaxSize         int           // group.share.max.size, 200
	ShareInitializeRetry time.Duration // group.share.initialize.retry.interval.ms, 30 s
}

// Migration says whether groups may change between the classic and the consumer protocol
// while they have members.
type Migration uint8

const (
	MigrateBothWays Migration = iota
	MigrateUp                 // from classic to consumer
	MigrateDown               // from consumer to classic
	MigrateNever
)

// GroupConfig is what is set for one group. Zero is what the broker's settings say.
type GroupConfig struct {
	ConsumerSession   time.Duration // consumer.session.timeout.ms
	ConsumerHeartbeat time.Duration // consumer.heartbeat.interval.ms
	ShareSession      time.Duration // share.session.timeout.ms
	ShareHeartbeat    time.Duration // share.heartbeat.interval.ms
}

var defaultAssignors = []string{assign.UniformName, assign.RangeName} // never changed

func (s Settings) withDefaults() Settings {
	orDuration(&s.InitialRebalanceDelay, 3*time.Second)
	orDuration(&s.MinSessionTimeout, 6*time.Second)
	orDuration(&s.MaxSessionTimeout, 30*time.Minute)
	orDuration(&s.OffsetsRetention, 7*24*time.Hour)
	orDuration(&s.RetentionCheckInterval, 10*time.Minute)
	orDuration(&s.CommitTimeout, 5*time.Second)
	orDuration(&s.ConsumerSession, 45*time.Second)
	orDuration(&s.ConsumerHeartbeat, 5*time.Second)
	orDuration(&s.ConsumerPatternRefresh, 10*time.Minute)
	orDuration(&s.ShareSession, 45*time.Second)
	orDuration(&s.ShareHeartbeat, 5*time.Second)
	orDuration(&s.ShareInitializeRetry, 30*time.Second)
	if s.ShareMaxSize == 0 {
		s.ShareMaxSize = 200
	}
	if s.MaxSize == 0 {
		s.MaxSize = 1<<31 - 1
	}
	if s.ConsumerMaxSize == 0 {
		s.ConsumerMaxSize = 1<<31 - 1
	}
	if len(s.ConsumerAssignors) == 0 {
		s.ConsumerAssignors = defaultAssignors
	}
	if s.MetadataMaxBytes == 0 {
		s.MetadataMaxBytes = 4096
	}
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
	// Partitions is the number of partitions of __consumer_offsets
	// (offsets.topic.num.partitions while the topic does not exist); 0 means that it is
	// not known yet.
	Partitions func() int32
	// Settings returns the current settings; nil is the defaults.
	Settings func() Settings
	// GroupConfig returns the settings of one group; nil is none for any.
	GroupConfig func(group string) GroupConfig
	// Image returns what the cluster has agreed on; nil is nothing. When its topics change
	// ImageMoved must be called.
	Image func() *metadata.Image
	// Shares is where the states of share partitions are kept; nil keeps none.
	Shares ShareStates
	// Ask asks brokers where partitions end, for the lag of share groups; nil: it is not known.
	Ask brokers.Ask
	// Lease reports whether this node may answer: without it others may coordinate by now
	// the groups that it believes to coordinate. Nil is always.
	Lease func() bool
	// Undisputed returns nil if no other node led a partition of __consumer_offsets when it
	// was called, and otherwise kerr.NotCoordinator: what is only read is asked of it before.
	// Nil is always.
	Undisputed func(ctx context.Context, partition int32) error
	// Rand fills its argument with random bytes, for member ids. Safe for concurrent use.
	Rand  func([]byte)
	Clock clock.Clock
	// On tells who this node is, at failpoints.
	On  any
	Log *slog.Logger
}

// Caller is the client that sent a request.
type Caller struct {
	ClientID   string
	ClientHost string // as Kafka shows it: "/127.0.0.1"
}

// Service answers the requests of groups whose partition is led here. Each method
// blocks as long as Kafka would keep the client waiting, and always returns a response
// of the request's version. Safe for concurrent use.
type Service struct {
	cfg         Config
	runtime     *runtime.Runtime[*state]
	resolutions *resolutions
	beginnings  *beginnings
	seen        atomic.Pointer[metadata.Image] // of the last ImageMoved
}

// New returns a Service that leads nothing.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Image == nil {
		cfg.Image = metadata.Empty
	}
	s := &Service{cfg: cfg, resolutions: newResolutions(), beginnings: newBeginnings()}
	s.seen.Store(metadata.Empty())
	s.runtime = runtime.New(runtime.Config[*state]{
		New: func(partition int32) *state {
			return newState(doors{
				settings: s.settings, config: cfg.GroupConfig, image: cfg.Image, newID: s.newID,
				ask: s.resolutions.add, log: cfg.Log.With("partition", partition),
			})
		},
		MaxBytes:      func() int { return s.settings().MaxRecordBytes },
		CommitTimeout: func() time.Duration { return s.settings().CommitTimeout },
		Lease:         cfg.Lease,
		Clock:         cfg.Clock,
		Room:          "group", On: cfg.On,
		Log: cfg.Log,
	})
	return s
}

// Run loads groups, fires their timers, matches patterns and has the states of share
// groups begin until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	g := run.New(ctx, "group")
	g.Go("machines", s.runtime.Run)
	g.Go("patterns", s.matchPatterns)
	g.Go("share states", func(ctx context.Context) error { return s.beginStates(ctx, g) })
	return g.Wait()
}

// Lead makes this node the coordinator of the groups of one partition of
// __consumer_offsets, under a leader epoch. Until its log is loaded requests are
// answered COORDINATOR_LOAD_IN_PROGRESS.
func (s *Service) Lead(partition, epoch int32, log runtime.Log) {
	s.runtime.Lead(partition, epoch, log)
}

// Resign ends that; who waits is answered NOT_COORDINATOR.
func (s *Service) Resign(partition int32) { s.runtime.Resign(partition) }

// PartitionFor is the partition of __consumer_offsets that holds a group, -1 if the
// number of partitions is not known.
func (s *Service) PartitionFor(group string) int32 {
	n := s.cfg.Partitions()
	if n <= 0 {
		return -1
	}
	return model.CoordinatorPartition(group, n)
}

func (s *Service) settings() Settings {
	if s.cfg.Settings == nil {
		return Settings{}.withDefaults()
	}
	return s.cfg.Settings().withDefaults()
}

// newID draws a random UUID (version 4) in its usual text form.
func (s *Service) newID() string {
	var b [16]byte
	s.cfg.Rand(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var text [36]byte
	hex.Encode(text[:], b[:4])
	for _, at := range [...]struct{ from, to, pos int }{{4, 6, 9}, {6, 8, 14}, {8, 10, 19}, {10, 16, 24}} {
		text[at.pos-1] = '-'
		hex.Encode(text[at.pos:], b[at.from:at.to])
	}
	return string(text[:])
}

// do runs a command on the partition of a group.
func do[T any](ctx context.Context, s *Service, group string, o runtime.Order, command func(*state, *runtime.Turn) (T, error)) (T, error) {
	p := s.PartitionFor(group)
	if p < 0 {
		var none T
		return none, kerr.CoordinatorNotAvailable
	}
	return runtime.Do(ctx, s.runtime, p, o, func(st *state, t *runtime.Turn) (T, error) {
		st.look()
		return command(st, t)
	})
}

// await runs a command whose answer a later one may give.
func await[T any](ctx context.Context, s *Service, group string, command func(*state, *runtime.Turn, *runtime.Deferred[T])) (T, error) {
	p := s.PartitionFor(group)
	if p < 0 {
		var none T
		return none, kerr.CoordinatorNotAvailable
	}
	return runtime.Await(ctx, s.runtime, p, runtime.Alone, func(st *state, t *runtime.Turn, d *runtime.Deferred[T]) {
		st.look()
		command(st, t, d)
	})
}
