package broker

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/group"
	"github.com/odradek/odradek/internal/coord/group/assign"
	"github.com/odradek/odradek/internal/replica/partition"
)

// settings are the configs in force on this node: what was set before it started, and
// over that what the cluster's image says now. Safe for concurrent use.
type settings struct {
	nodeID string
	static map[string]string
	feed   *metadata.Feed
	now    atomic.Pointer[inForce]
	mu     sync.Mutex // orders those who resolve anew

	deliveries deliverySettings
}

// inForce is everything resolved against the broker configs of one image. Immutable but
// for what it remembers.
type inForce struct {
	all, own map[string]string // as the image has them; compared by identity of content
	broker   config.Values
	topics   config.TopicBase

	mu     sync.Mutex                     // guards shared
	shared map[string]*partition.Settings // by the configs that topics were given
}

func newSettings(nodeID int32, static map[string]string, feed *metadata.Feed) *settings {
	s := &settings{nodeID: strconv.Itoa(int(nodeID)), static: static, feed: feed}
	s.now.Store(s.resolve(metadata.Empty()))
	return s
}

func (s *settings) node(image *metadata.Image) config.Node {
	return config.Node{
		Static:    s.static,
		Default:   image.Configs(metadata.Resource{Type: metadata.BrokerResource}),
		PerBroker: image.Configs(metadata.Resource{Type: metadata.BrokerResource, Name: s.nodeID}),
	}
}

func (s *settings) resolve(image *metadata.Image) *inForce {
	n := s.node(image)
	// Dynamic values that cannot be were stored by another version: they count as unset.
	v, _ := n.Values()
	return &inForce{all: n.Default, own: n.PerBroker, broker: v, topics: n.Topics()}
}

// at returns the settings for an image, resolved anew only if it changes them.
func (s *settings) at(image *metadata.Image) *inForce {
	n := s.node(image)
	if now := s.now.Load(); sameMap(now.all, n.Default) && sameMap(now.own, n.PerBroker) {
		return now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.resolve(image)
	s.now.Store(now)
	return now
}

func sameMap(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// Values are the broker's configs in force.
func (s *settings) Values() config.Values { return s.at(s.feed.Image()).broker }

// topicValues are the configs of a topic.
func (s *settings) topicValues(image *metadata.Image, name string) config.Values {
	v, _ := s.at(image).topics.With(image.Configs(metadata.Resource{Type: metadata.TopicResource, Name: name}))
	return v
}

// topic resolves the configs of a topic for its partitions. Topics with equal configs
// share the result: with thousands of them there are a few.
func (s *settings) topic(image *metadata.Image, name string) *partition.Settings {
	now, own := s.at(image), image.Configs(metadata.Resource{Type: metadata.TopicResource, Name: name})
	key := fingerprint(own)
	now.mu.Lock()
	defer now.mu.Unlock()
	if now.shared[key] == nil {
		if now.shared == nil || len(now.shared) >= maxShared {
			now.shared = make(map[string]*partition.Settings)
		}
		v, _ := now.topics.With(own)
		now.shared[key] = partitionSettings(v, now.broker)
	}
	return now.shared[key]
}

// maxShared bounds what is remembered of configs that topics had once.
const maxShared = 1000

// fingerprint is the same for equal configs, and different for others.
func fingerprint(configs map[string]string) string {
	var b []byte
	for _, k := range slices.Sorted(maps.Keys(configs)) {
		b = strconv.AppendQuote(strconv.AppendQuote(b, k), configs[k])
	}
	return string(b)
}

func partitionSettings(v, broker config.Values) *partition.Settings {
	policy := config.TopicCleanupPolicy.Get(v)
	return &partition.Settings{
		Log:           config.CommitLog(v, broker),
		Rules:         config.Rules(v),
		Durable:       config.TopicDurability.Get(v) == config.DurabilityFsync,
		FlushMessages: config.TopicFlushMessages.Get(v),
		FlushMillis:   config.TopicFlushMs.Get(v),
		MinISR:        config.TopicMinInSyncReplicas.Get(v),
		Unclean:       config.TopicUncleanLeaderElectionEnable.Get(v),
		DeleteAllowed: slices.Contains(policy, "delete") || len(policy) == 0,
		TrustTxns:     !config.TransactionPartitionVerificationEnable.Get(broker),
	}
}

// allDurable reports whether every topic is committed only when it is on stable storage.
func (s *settings) allDurable(image *metadata.Image) bool {
	for t := range image.Topics() {
		if !s.topic(image, t.Name).Durable {
			return false
		}
	}
	return true
}

// groups are the settings of the group coordinator.
func (s *settings) groups() group.Settings {
	v := s.Values()
	millis := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	delay := millis(config.GroupInitialRebalanceDelayMs.Get(v))
	if delay == 0 {
		delay = -1 // none, where zero would be the default
	}
	return group.Settings{
		InitialRebalanceDelay:  delay,
		MinSessionTimeout:      millis(config.GroupMinSessionTimeoutMs.Get(v)),
		MaxSessionTimeout:      millis(config.GroupMaxSessionTimeoutMs.Get(v)),
		MaxSize:                config.GroupMaxSize.Get(v),
		OffsetsRetention:       time.Duration(config.OffsetsRetentionMinutes.Get(v)) * time.Minute,
		RetentionCheckInterval: time.Duration(config.OffsetsRetentionCheckIntervalMs.Get(v)) * time.Millisecond,
		MetadataMaxBytes:       config.OffsetMetadataMaxBytes.Get(v),
		CommitTimeout:          millis(config.OffsetsCommitTimeoutMs.Get(v)),
		ConsumerSession:        millis(config.GroupConsumerSessionTimeoutMs.Get(v)),
		ConsumerHeartbeat:      millis(config.GroupConsumerHeartbeatIntervalMs.Get(v)),
		ConsumerMaxSize:        config.GroupConsumerMaxSize.Get(v),
		ConsumerAssignors:      assignors(config.GroupConsumerAssignors.Get(v)),
		ConsumerMigration:      migrations[strings.ToUpper(config.GroupConsumerMigrationPolicy.Get(v))],
		ConsumerPatternRefresh: millis(config.GroupConsumerRegexRefreshIntervalMs.Get(v)),
		ShareSession:           millis(config.GroupShareSessionTimeoutMs.Get(v)),
		ShareHeartbeat:         millis(config.GroupShareHeartbeatIntervalMs.Get(v)),
		ShareMaxSize:           config.GroupShareMaxSize.Get(v),
		ShareInitializeRetry:   millis(config.GroupShareInitializeRetryIntervalMs.Get(v)),
	}
}

// assignors are the names of assignors, which may be given by the classes that Kafka has
// for them. Other classes cannot be loaded: whoever asks for them is refused.
func assignors(given []string) []string {
	var names []string
	for _, g := range given {
		switch g {
		case assign.UniformName, config.UniformAssignorClass:
			names = append(names, assign.UniformName)
		case assign.RangeName, config.RangeAssignorClass:
			names = append(names, assign.RangeName)
		}
	}
	return names
}

// migrations are what group.consumer.migration.policy may be.
var migrations = map[string]group.Migration{
	"BIDIRECTIONAL": group.MigrateBothWays,
	"UPGRADE":       group.MigrateUp,
	"DOWNGRADE":     group.MigrateDown,
	"DISABLED":      group.MigrateNever,
}

// group is what was set for one group, nothing for most.
func (s *settings) group(id string) group.GroupConfig {
	image := s.feed.Image()
	own := image.Configs(metadata.Resource{Type: metadata.GroupResource, Name: id})
	if len(own) == 0 {
		return group.GroupConfig{}
	}
	v, _ := s.node(image).GroupValues(own) // what cannot be was stored by another version: it counts as unset
	millis := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	return group.GroupConfig{
		ConsumerSession:   millis(config.PerGroupConsumerSessionTimeoutMs.Get(v)),
		ConsumerHeartbeat: millis(config.PerGroupConsumerHeartbeatIntervalMs.Get(v)),
		ShareSession:      millis(config.PerGroupShareSessionTimeoutMs.Get(v)),
		ShareHeartbeat:    millis(config.PerGroupShareHeartbeatIntervalMs.Get(v)),
	}
}

// followSettings applies what may change while the node runs and is not looked up anew
// each time.
func (b *Broker) followSettings(ctx context.Context) error {
	image := metadata.Empty()
	for {
		next, changes, err := b.feed.Next(ctx, image)
		if err != nil {
			return nil // the context has ended
		}
		if image = next; len(changes.Configs) > 0 {
			b.settings.at(image)
		}
	}
}
