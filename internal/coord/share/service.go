package share

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

var _ = failpoint.Register(runtime.Failpoints("share")...)

// Settings are the broker's configs that the coordinator reads whenever it needs them.
// Zero means the default, but for UpdatesPerSnapshot, where it is a value: negative is
// the default.
type Settings struct {
	UpdatesPerSnapshot int           // share.coordinator.snapshot.update.records.per.snapshot, 500
	WriteTimeout       time.Duration // share.coordinator.write.timeout.ms, 5 s
	PruneInterval      time.Duration // share.coordinator.state.topic.prune.interval.ms, 5 min
	ColdInterval       time.Duration // share.coordinator.cold.partition.snapshot.interval.ms, 5 min
	MaxRecordBytes     int           // max.message.bytes of __share_group_state, 1 MiB
}

func (s Settings) withDefaults() Settings {
	if s.UpdatesPerSnapshot < 0 {
		s.UpdatesPerSnapshot = 500
	}
	orDefault(&s.WriteTimeout, 5*time.Second)
	orDefault(&s.PruneInterval, 5*time.Minute)
	orDefault(&s.ColdInterval, 5*time.Minute)
	orDefault(&s.MaxRecordBytes, 1<<20)
	return s
}

func orDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Config is what a Service is made of.
type Config struct {
	// Partitions is the number of partitions of __share_group_state
	// (share.coordinator.state.topic.num.partitions while the topic does not exist); 0
	// means that it is not known yet.
	Partitions func() int32
	// Topic is the number of partitions of a topic, 0 if there is none with that id.
	Topic func(model.ID) int32
	// Settings returns the current settings; nil is the defaults.
	Settings func() Settings
	// Prune deletes the records of a partition of __share_group_state before an offset,
	// which are committed. Nil keeps everything.
	Prune func(partition int32, before int64) error
	// Lease reports whether this node may answer: without it others may coordinate by now
	// what it believes to coordinate. Nil is always.
	Lease func() bool
	Clock clock.Clock
	// On tells who this node is, at failpoints.
	On  any
	Log *slog.Logger
}

// Service answers the requests about share partitions whose state is led here. Each
// method blocks until what it answers is committed, and always returns a response of the
// request's version. Safe for concurrent use.
type Service struct {
	cfg     Config
	runtime *runtime.Runtime[*state]
}

// New returns a Service that leads nothing.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg}
	s.runtime = runtime.New(runtime.Config[*state]{
		New: func(partition int32) *state {
			return newState(s.settings, cfg.Topic, cfg.Log.With("partition", partition))
		},
		MaxBytes:      func() int { return s.settings().MaxRecordBytes },
		CommitTimeout: func() time.Duration { return s.settings().WriteTimeout },
		Lease:         cfg.Lease,
		Clock:         cfg.Clock,
		Room:          "share", On: cfg.On,
		Log: cfg.Log,
	})
	return s
}

func (s *Service) settings() Settings {
	if s.cfg.Settings == nil {
		return Settings{UpdatesPerSnapshot: -1}.withDefaults()
	}
	return s.cfg.Settings().withDefaults()
}

// Run loads states, repeats old snapshots and deletes what is not needed any more, until
// ctx ends.
func (s *Service) Run(ctx context.Context) error {
	g := run.New(ctx, "share coordinator")
	g.Go("states", s.runtime.Run)
	if s.cfg.Prune != nil {
		g.Go("pruner", s.prune)
	}
	return g.Wait()
}

// Lead makes this node the coordinator of one partition of __share_group_state, under a
// leader epoch. Until its log is loaded requests are answered
// COORDINATOR_LOAD_IN_PROGRESS.
func (s *Service) Lead(partition, epoch int32, log runtime.Log) {
	s.runtime.Lead(partition, epoch, log)
}

// Resign ends that; who waits is answered NOT_COORDINATOR.
func (s *Service) Resign(partition int32) { s.runtime.Resign(partition) }

// PartitionFor is the partition of __share_group_state that holds the share partition of
// that name (Key.String), -1 if the number of partitions is not known.
func (s *Service) PartitionFor(name string) int32 {
	n := s.cfg.Partitions()
	if n <= 0 {
		return -1
	}
	return model.CoordinatorPartition(name, n)
}

// TopicDeleted drops the states of topics that are gone. It does not wait: partitions
// that are being loaded, or whose log takes nothing for now, do it when they can.
func (s *Service) TopicDeleted(ids []model.ID) {
	gone := make(map[model.ID]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	s.runtime.Tell(func(st *state, t *runtime.Turn) {
		st.drop(t, func(k Key) bool { return gone[k.TopicID] })
	})
}

// prune deletes from time to time the part of the logs that no state rests on. It asks
// for it by a command, whose answer says that what the state rests on is committed.
func (s *Service) prune(ctx context.Context) error {
	timer := time.NewTimer(s.settings().PruneInterval)
	defer timer.Stop()
	done := map[int32]int64{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		for _, p := range s.runtime.Led() {
			needed, err := runtime.Do(ctx, s.runtime, p, runtime.Alone, func(st *state, _ *runtime.Turn) (int64, error) {
				return st.needed(), nil
			})
			if err != nil || needed == done[p] {
				continue // those that are loading or gone are none of ours
			}
			if err := s.cfg.Prune(p, needed); err != nil {
				s.cfg.Log.Warn("old records of share groups were not deleted", "partition", p, "before", needed, "err", err)
				continue
			}
			done[p] = needed
		}
		timer.Reset(s.settings().PruneInterval)
	}
}

// reply is what became of one of many keys.
type reply[T any] struct {
	value T
	err   error
}

// each runs a command for each of many keys, in one turn for those that live on the same
// partition, and returns the replies in the order of keys.
func each[T any](ctx context.Context, s *Service, keys []Key, command func(st *state, t *runtime.Turn, i int) (T, error)) []reply[T] {
	replies := make([]reply[T], len(keys))
	homes := map[int32][]int{}
	seen := make(map[Key]bool, len(keys))
	for i, k := range keys {
		if seen[k] {
			replies[i].err = errTwice
			continue
		}
		seen[k] = true
		p := s.PartitionFor(k.String())
		if p < 0 {
			replies[i].err = kerr.CoordinatorNotAvailable
			continue
		}
		homes[p] = append(homes[p], i)
	}
	var group sync.WaitGroup
	left := len(homes)
	for p, at := range homes {
		ask := func() {
			_, err := runtime.Do(ctx, s.runtime, p, runtime.Alone, func(st *state, t *runtime.Turn) (struct{}, error) {
				for _, i := range at {
					replies[i].value, replies[i].err = command(st, t, i)
				}
				return struct{}{}, nil
			})
			if err != nil {
				for _, i := range at {
					replies[i] = reply[T]{err: operational(err)}
				}
			}
		}
		if left--; left == 0 {
			ask()
		} else {
			group.Go(ask)
		}
	}
	group.Wait()
	return replies
}

var errTwice = model.Explain(kerr.InvalidRequest, "The request names a partition twice.")

// operational is what a client is told of an error of the log: that it should look for
// the coordinator again, or try again.
func operational(err error) error {
	switch {
	case errors.Is(err, vfs.ErrNoSpace), // before the error of the disk that it comes with
		errors.Is(err, kerr.RequestTimedOut), errors.Is(err, kerr.UnknownTopicOrPartition),
		errors.Is(err, kerr.NotEnoughReplicas), errors.Is(err, kerr.NotEnoughReplicasAfterAppend),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return kerr.CoordinatorNotAvailable
	case errors.Is(err, kerr.NotLeaderForPartition), errors.Is(err, kerr.KafkaStorageError):
		return kerr.NotCoordinator
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return kerr.UnknownServerError
	}
	return err
}
