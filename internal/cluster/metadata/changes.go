package metadata

import (
	"maps"

	"github.com/odradek/odradek/internal/proto/model"
)

// Changes is how one image differs from an earlier one, however many records lie
// between. Every list is sorted by the key of its tree: topics by name.
type Changes struct {
	Topics      []TopicChange
	Configs     []Resource
	Brokers     []BrokerChange
	Controllers []ControllerChange
	Features    bool
	Cluster     bool // the cluster's id, or its controller
}

// TopicChange is a topic that was made (Was nil), removed (Is nil) or changed. A topic
// that was removed and made again under its name is two changes: the removal first.
type TopicChange struct {
	Was, Is *Topic
}

// Partitions are the numbers of the partitions that differ, in order.
func (c TopicChange) Partitions() []int32 {
	var was, is []*Partition
	if c.Was != nil {
		was = c.Was.Partitions
	}
	if c.Is != nil {
		is = c.Is.Partitions
	}
	var changed []int32
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			changed = append(changed, int32(i))
		}
	}
	return changed
}

// BrokerChange is a broker that was registered (Was nil), unregistered (Is nil) or
// changed.
type BrokerChange struct {
	Was, Is *Broker
}

// ControllerChange is a node of the quorum that was registered (Was nil), unregistered
// (Is nil) or changed.
type ControllerChange struct {
	Was, Is *Controller
}

// Empty reports whether nothing that a room could follow has changed.
func (c Changes) Empty() bool {
	return len(c.Topics)+len(c.Configs)+len(c.Brokers)+len(c.Controllers) == 0 && !c.Features && !c.Cluster
}

// Diff is what changed from one image to another. Its cost grows with the changes.
func Diff(was, is *Image) Changes {
	c := Changes{Cluster: was.ClusterID != is.ClusterID ||
		was.ControllerID != is.ControllerID || was.ControllerEpoch != is.ControllerEpoch}
	diff[byName](was.topics.root, is.topics.root, func(a, b *node[string, *Topic]) {
		c.Topics = appendTopicChange(c.Topics, value(a), value(b))
	})
	diff[byResource](was.configs.root, is.configs.root, func(a, b *node[Resource, map[string]string]) {
		switch {
		case a == nil:
			c.Configs = append(c.Configs, b.key)
		case b == nil || !maps.Equal(a.val, b.val):
			c.Configs = append(c.Configs, a.key)
		}
	})
	diff[byNumber](was.brokers.root, is.brokers.root, func(a, b *node[int32, *Broker]) {
		if value(a) != value(b) {
			c.Brokers = append(c.Brokers, BrokerChange{value(a), value(b)})
		}
	})
	diff[byNumber](was.controllers.root, is.controllers.root, func(a, b *node[int32, *Controller]) {
		if value(a) != value(b) {
			c.Controllers = append(c.Controllers, ControllerChange{value(a), value(b)})
		}
	})
	diff[byName](was.features.root, is.features.root, func(a, b *node[string, int16]) {
		if a == nil || b == nil || a.val != b.val {
			c.Features = true
		}
	})
	return c
}

func appendTopicChange(list []TopicChange, was, is *Topic) []TopicChange {
	switch {
	case was == is:
		return list
	case was != nil && is != nil && was.ID != is.ID:
		return append(list, TopicChange{Was: was}, TopicChange{Is: is})
	default:
		return append(list, TopicChange{was, is})
	}
}

func value[K, V any](n *node[K, *V]) *V {
	if n == nil {
		return nil
	}
	return n.val
}

// Topic is the id of the topic that changed.
func (c TopicChange) ID() model.ID {
	if c.Is != nil {
		return c.Is.ID
	}
	return c.Was.ID
}
