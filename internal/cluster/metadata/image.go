package metadata

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/proto/model"
)

// Image is everything that the cluster has agreed on at one offset of its log.
//
// It is immutable, and so is all that it hands out. Two images share what they have
// in common: a change costs what it touches, whatever the size of the cluster.
type Image struct {
	Offset          int64  // the log entry that made it; 0 for the empty image
	ClusterID       string // "" until the cluster has a name
	ControllerID    int32  // -1 until there is one
	ControllerEpoch int32
	NextProducerID  int64 // the first producer id that nobody has been given

	topics      tree[byName, string, *Topic]
	names       tree[byID, model.ID, string]
	unified     tree[byName, string, string] // names with '.' or '_', by their unified form
	brokers     tree[byNumber, int32, *Broker]
	controllers tree[byNumber, int32, *Controller]
	configs     tree[byResource, Resource, map[string]string]
	features    tree[byName, string, int16]
	partitions  int
}

// Empty is the image before the first record.
func Empty() *Image { return &Image{ControllerID: -1, ControllerEpoch: -1} }

// Topic finds a topic by name.
func (m *Image) Topic(name string) (*Topic, bool) { return m.topics.get(name) }

// TopicByID finds a topic by id.
func (m *Image) TopicByID(id model.ID) (*Topic, bool) {
	name, ok := m.names.get(id)
	if !ok {
		return nil, false
	}
	return m.topics.get(name)
}

// Collision finds a topic whose name differs from name only in '.' and '_', which
// metric names cannot tell apart.
func (m *Image) Collision(name string) (other string, ok bool) {
	if !strings.ContainsAny(name, "._") {
		return "", false
	}
	other, ok = m.unified.get(unify(name))
	return other, ok
}

func unify(name string) string { return strings.ReplaceAll(name, ".", "_") }

// Partition finds a partition of a topic by name.
func (m *Image) Partition(topic string, number int32) (*Topic, *Partition, bool) {
	t, ok := m.topics.get(topic)
	if !ok || number < 0 || int(number) >= len(t.Partitions) {
		return t, nil, false
	}
	return t, t.Partitions[number], true
}

// Topics yields every topic, sorted by name.
func (m *Image) Topics() iter.Seq[*Topic] { return values(m.topics.all()) }

// TopicsFrom yields the topics from name on, sorted by name.
func (m *Image) TopicsFrom(name string) iter.Seq[*Topic] { return values(m.topics.from(name)) }

// TopicCount and PartitionCount are the numbers of topics and of all partitions.
func (m *Image) TopicCount() int     { return m.topics.len() }
func (m *Image) PartitionCount() int { return m.partitions }

// Broker finds a registered broker.
func (m *Image) Broker(id int32) (*Broker, bool) { return m.brokers.get(id) }

// Brokers yields every registered broker, fenced or not, sorted by id.
func (m *Image) Brokers() iter.Seq[*Broker] { return values(m.brokers.all()) }

// BrokerCount is the number of registered brokers.
func (m *Image) BrokerCount() int { return m.brokers.len() }

// Controller finds a registered node of the quorum.
func (m *Image) Controller(id int32) (*Controller, bool) { return m.controllers.get(id) }

// Controllers yields every registered node of the quorum, sorted by id. Whether it votes
// is the quorum's to say.
func (m *Image) Controllers() iter.Seq[*Controller] { return values(m.controllers.all()) }

// Configs are the configs that were set on a resource, nil if none were. The map must
// not be changed.
func (m *Image) Configs(r Resource) map[string]string {
	c, _ := m.configs.get(r)
	return c
}

// ConfigResources yields every resource with configs, sorted by type and name.
func (m *Image) ConfigResources() iter.Seq2[Resource, map[string]string] { return m.configs.all() }

// Feature is the finalized level of a feature, 0 if it is not finalized.
func (m *Image) Feature(name string) int16 {
	level, _ := m.features.get(name)
	return level
}

// Features yields the finalized features and their levels, sorted by name.
func (m *Image) Features() iter.Seq2[string, int16] { return m.features.all() }

func values[K, V any](seq iter.Seq2[K, V]) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, v := range seq {
			if !yield(v) {
				return
			}
		}
	}
}

// sortedKeys are the keys of a resource's configs in the order they are written and
// listed in.
func sortedKeys(c map[string]string) []string { return slices.Sorted(maps.Keys(c)) }
