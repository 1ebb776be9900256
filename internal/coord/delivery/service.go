package delivery

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Persister remembers the state of share partitions: share.Persister.
type Persister interface {
	ReadState(ctx context.Context, k share.Key, leaderEpoch int32) (share.PartitionState, error)
	WriteState(ctx context.Context, k share.Key, stateEpoch, leaderEpoch int32, start int64, completeCount int32, batches []share.StateBatch) error
}

// Settings are those of a group, as now in force. Zero means the default.
type Settings struct {
	Lock          time.Duration // share.record.lock.duration.ms, 30 s
	Committed     bool          // share.isolation.level is read_committed
	Reset         Reset         // share.auto.offset.reset
	MaxDeliveries int           // group.share.delivery.count.limit, 5
	MaxInFlight   int           // group.share.partition.max.record.locks, 2000
	// DeadLetters is the topic of what nobody could process
	// (errors.deadletterqueue.topic.name); "" if there is none.
	DeadLetters string
	// CopyRecords has dead letters bear the key and value of what they tell of
	// (errors.deadletterqueue.copy.record.enable).
	CopyRecords bool

	counts *counts
}

func (s Settings) withDefaults() Settings {
	if s.Lock <= 0 {
		s.Lock = 30 * time.Second
	}
	if s.MaxDeliveries <= 0 {
		s.MaxDeliveries = 5
	}
	if s.MaxInFlight <= 0 {
		s.MaxInFlight = 2000
	}
	return s
}

func (s Settings) rules() rules {
	return rules{maxDeliveries: s.MaxDeliveries, maxInFlight: s.MaxInFlight, lock: s.Lock, deadLetters: s.DeadLetters != "", counts: s.counts}
}

// Config is what a Service is made of.
type Config struct {
	// Partition returns the replica on this broker: host.Host's. It returns
	// kerr.UnknownTopicOrPartition or kerr.NotLeaderForPartition.
	Partition func(model.TopicPartition) (*partition.Partition, error)
	Persister Persister
	// Settings returns those of a group; nil is the defaults.
	Settings func(group string) Settings
	// Letters is the way to dead letter queues; without its Produce no group has one.
	Letters Letters
	// On tells who this node is, at failpoints.
	On    any
	Clock clock.Clock
	Log   *slog.Logger
}

// Service has the share partitions whose leader is this broker. They are made when they
// are first asked for, and forgotten when the last member of the group has gone, or the
// leader is another. Safe for concurrent use.
type Service struct {
	cfg    Config
	log    *slog.Logger
	crew   crew
	alarms alarms
	counts counts

	mu     sync.Mutex // guards shares, for moments only; taken before a Share's
	shares map[share.Key]*Share
}

// New returns a Service that has nothing. Nothing is loaded or stored before Run.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg, log: cfg.Log, shares: map[share.Key]*Share{}}
	s.alarms.sooner = make(chan struct{}, 1)
	return s
}

// Run loads and stores share partitions and ends the locks of their records, until ctx
// ends. What is under way then is answered COORDINATOR_NOT_AVAILABLE.
func (s *Service) Run(ctx context.Context) error {
	err := s.crew.run(ctx, "delivery", "locks", s.alarms.watch)
	for _, sh := range s.all(func(*Share) bool { return true }) {
		s.drop(sh, kerr.NotLeaderForPartition) // nobody is there to decide any more
	}
	return err
}

// Open returns the share partition of a group; it begins to load if it is new.
// It returns kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, or
// kerr.UnknownTopicID if the topic of that name is another by now.
func (s *Service) Open(group string, tp model.TopicPartition, id model.ID) (*Share, error) {
	p, epoch, err := s.led(tp, id)
	if err != nil {
		return nil, err
	}
	key := share.Key{Group: group, TopicID: id, Partition: tp.Partition}
	s.mu.Lock()
	sh := s.shares[key]
	if sh != nil && sh.is(p, epoch) {
		sh.stay()
		s.mu.Unlock()
		return sh, nil
	}
	was := sh
	sh = &Share{service: s, key: key, tp: tp, source: p, epoch: epoch, reading: gate.New(), open: newVerdict()}
	s.shares[key] = sh
	s.mu.Unlock()
	if was != nil {
		was.end(kerr.NotLeaderForPartition)
	}
	s.crew.start("load", sh.load)
	return sh, nil
}

// led is the replica of a partition that this broker leads, and the epoch.
func (s *Service) led(tp model.TopicPartition, id model.ID) (*partition.Partition, int32, error) {
	p, err := s.cfg.Partition(tp)
	if err != nil {
		return nil, 0, err
	}
	if p.ID().Topic != id {
		return nil, 0, kerr.UnknownTopicID
	}
	role := p.Role()
	if !role.Leading {
		return nil, 0, kerr.NotLeaderForPartition
	}
	return p, role.Epoch, nil
}

// Acknowledge begins what a member wants done with records, which have passed Check. What
// comes after it sees what it has done; the verdict is there when that is stored.
func (s *Service) Acknowledge(group, member string, tp model.TopicPartition, id model.ID, acks []Ack) *Verdict {
	p, epoch, err := s.led(tp, id)
	if err != nil {
		return Decided(err)
	}
	sh := s.find(share.Key{Group: group, TopicID: id, Partition: tp.Partition})
	if sh == nil || !sh.is(p, epoch) {
		return Decided(kerr.UnknownTopicOrPartition) // as Kafka says to those who acknowledge what nobody gave them
	}
	return sh.acknowledge(member, acks)
}

// Release gives back what a member of a group has of a partition: its session has ended.
func (s *Service) Release(group, member string, id model.IDPartition) *Verdict {
	sh := s.find(share.Key{Group: group, TopicID: id.Topic, Partition: id.Partition})
	if sh == nil {
		return Decided(nil)
	}
	return sh.release(member)
}

func (s *Service) find(k share.Key) *Share {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shares[k]
}

// all are the share partitions for which which says so.
func (s *Service) all(which func(*Share) bool) (list []*Share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sh := range s.shares {
		if which(sh) {
			list = append(list, sh)
		}
	}
	return list
}

// Forget gives up the share partitions of a group that nobody reads here any more, once
// what waits is stored: their state may be changed by others then. alone is asked at that
// moment whether it is still so; it must be quick and may not call the Service.
func (s *Service) Forget(group string, alone func() bool) {
	for _, sh := range s.all(func(sh *Share) bool { return sh.key.Group == group }) {
		sh.leave(alone)
	}
}

// Sweep gives up the share partitions that this broker leads no longer. Who waits for one
// is told; who asks for one finds out without it.
func (s *Service) Sweep() {
	for _, sh := range s.all(func(*Share) bool { return true }) {
		sh.current()
	}
}

// Len is the number of share partitions.
func (s *Service) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.shares)
}

// drop takes a Share out and ends it.
func (s *Service) drop(sh *Share, why error) {
	s.mu.Lock()
	if s.shares[sh.key] == sh {
		delete(s.shares, sh.key)
	}
	s.mu.Unlock()
	sh.end(why)
}

func (s *Service) settings(group string) Settings {
	var set Settings
	if s.cfg.Settings != nil {
		set = s.cfg.Settings(group)
	}
	set = set.withDefaults()
	set.counts = &s.counts
	if s.cfg.Letters.Produce == nil {
		set.DeadLetters = ""
	}
	return set
}

// Lock is how long a member of a group may keep records.
func (s *Service) Lock(group string) time.Duration { return s.settings(group).Lock }
