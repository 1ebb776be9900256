package controller

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// State is what a decision is made on. Its methods change nothing: they return the
// answer and the records that would make it true, which must be applied together.
// Every partition is changed at most once by the records of one decision.
type State struct {
	Image *metadata.Image
	Rules Rules
	Rand  *rand.Rand
	Now   time.Time
	// Heard reports whether the broker has been heard of lately in that epoch. Default:
	// it has not.
	Heard func(id int32, epoch int64) bool
	// LineLost reports whether a connection of the broker has ended since it was heard.
	LineLost func(id int32) bool
	// Reached is the metadata offset that the broker says it has applied, -1 if it said
	// nothing; Leaving the one at which its controlled shutdown began, -1 if none did.
	Reached, Leaving func(id int32) int64

	memo *memo
}

// Rules are the node's settings that decisions depend on. Zero means Kafka's default.
type Rules struct {
	Partitions        int32 // num.partitions; default 1
	ReplicationFactor int16 // default.replication.factor; default 1
	// FewerReplicas says that ReplicationFactor is nobody's wish: with fewer brokers a
	// topic gets as many replicas as there are brokers.
	FewerReplicas bool
	MaxPartitions int // new partitions of one request; default 10,000
	// SessionTimeout is how long a broker is taken for alive after a heartbeat; default
	// 3 s (broker.session.timeout.ms).
	SessionTimeout time.Duration
	// HeartbeatInterval is how often brokers are expected to speak; default 250 ms
	// (broker.heartbeat.interval.ms).
	HeartbeatInterval time.Duration
	// BalanceInterval is how often leaders are given back to preferred replicas; default
	// 300 s (leader.imbalance.check.interval.seconds), negative: never
	// (auto.leader.rebalance.enable=false).
	BalanceInterval time.Duration
	// UncleanInterval is how often leaders are looked for where none is in sync, if the
	// topic allows it; default 300 s (unclean.leader.election.interval.ms).
	UncleanInterval time.Duration
	// Features are the levels that this release supports. Default: Features.
	Features []metadata.FeatureRange
	// ValidateConfigs says what is wrong with the configs of a resource as they would
	// be. Default: nothing is.
	ValidateConfigs func(r metadata.Resource, configs map[string]string) error
	// ListConfig reports whether a config is a list, to which OpAppend and OpSubtract
	// apply, and its value where none is set. Default: none is.
	ListConfig func(t metadata.ResourceType, key string) (value string, ok bool)
	// MinISR is min.insync.replicas as it applies to a topic. Default: 1.
	MinISR func(m *metadata.Image, topic string) int
	// Unclean is unclean.leader.election.enable as it applies to a topic. Default: false.
	Unclean func(m *metadata.Image, topic string) bool
	// Cordoned reports whether a broker is to get no new replicas. Default: whether its
	// dynamic setting cordoned.log.dirs is "*" (KIP-1066).
	Cordoned func(m *metadata.Image, broker int32) bool
}

func (r *Rules) defaults() {
	if r.Partitions == 0 {
		r.Partitions = 1
	}
	if r.ReplicationFactor == 0 {
		r.ReplicationFactor = 1
	}
	if r.MaxPartitions == 0 {
		r.MaxPartitions = 10_000
	}
	if r.SessionTimeout == 0 {
		r.SessionTimeout = 3 * time.Second
	}
	r.HeartbeatInterval = cmp.Or(r.HeartbeatInterval, 250*time.Millisecond)
	r.BalanceInterval = cmp.Or(r.BalanceInterval, 300*time.Second)
	r.UncleanInterval = cmp.Or(r.UncleanInterval, 300*time.Second)
	if r.Features == nil {
		r.Features = Features
	}
	if r.ValidateConfigs == nil {
		r.ValidateConfigs = func(metadata.Resource, map[string]string) error { return nil }
	}
	if r.ListConfig == nil {
		r.ListConfig = func(metadata.ResourceType, string) (string, bool) { return "", false }
	}
	if r.MinISR == nil {
		r.MinISR = func(*metadata.Image, string) int { return 1 }
	}
	if r.Unclean == nil {
		r.Unclean = func(*metadata.Image, string) bool { return false }
	}
	if r.Cordoned == nil {
		r.Cordoned = cordoned
	}
}

func cordoned(m *metadata.Image, broker int32) bool {
	r := metadata.Resource{Type: metadata.BrokerResource, Name: strconv.Itoa(int(broker))}
	return m.Configs(r)["cordoned.log.dirs"] == "*"
}

// NewState returns a state with the defaults filled in.
func NewState(m *metadata.Image, r Rules, rng *rand.Rand, now time.Time) State {
	r.defaults()
	none := func(int32) int64 { return -1 }
	return State{
		Image: m, Rules: r, Rand: rng, Now: now, Reached: none, Leaving: none, memo: &memo{},
		Heard:    func(int32, int64) bool { return false },
		LineLost: func(int32) bool { return false },
	}
}

// memo keeps what the settings say of a topic for the time of one decision, which may
// ask for each of its partitions.
type memo struct {
	topic   *metadata.Topic
	minISR  int
	unclean bool
}

func (s State) rulesOf(t *metadata.Topic) memo {
	if s.memo.topic != t {
		*s.memo = memo{
			topic: t, unclean: s.Rules.Unclean(s.Image, t.Name),
			minISR: min(s.Rules.MinISR(s.Image, t.Name), len(t.Partitions[0].Replicas)),
		}
	}
	return *s.memo
}

// uncleanAllowed reports whether a topic would rather lose records than have no leader.
func (s State) uncleanAllowed(t *metadata.Topic) bool { return s.rulesOf(t).unclean }

func (s State) newID() model.ID {
	return model.NewID(func(b []byte) {
		for i := range b {
			b[i] = byte(s.Rand.Uint32())
		}
	})
}

// active reports whether a broker may lead and follow.
func (s State) active(id int32) bool {
	b, ok := s.Image.Broker(id)
	return ok && b.Active()
}

func (s State) activeOf(ids []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return !s.active(id) })
}

// broker finds a broker in the registration that it claims to have.
func (s State) broker(id int32, epoch int64) (*metadata.Broker, error) {
	b, ok := s.Image.Broker(id)
	if !ok {
		return nil, explainf(kerr.StaleBrokerEpoch, "No broker registration found for broker id %d", id)
	}
	if b.Epoch != epoch {
		return nil, explainf(kerr.StaleBrokerEpoch, "Expected broker epoch %d, but got broker epoch %d", b.Epoch, epoch)
	}
	return b, nil
}

// directory is where a replica goes when nobody has said: the only log folder of its
// broker, or none yet.
func (s State) directory(id int32) model.ID {
	if b, ok := s.Image.Broker(id); ok && len(b.LogDirs) == 1 {
		return b.LogDirs[0]
	}
	return model.ID{}
}

func (s State) directories(ids []int32) []model.ID {
	dirs := make([]model.ID, len(ids))
	for i, id := range ids {
		dirs[i] = s.directory(id)
	}
	return dirs
}

func explainf(err *kerr.Error, format string, args ...any) error {
	return model.Explain(err, fmt.Sprintf(format, args...))
}
