package crash

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Populate creates the topics of the load, with so many replicas.
func Populate(ctx context.Context, addrs []string, replicas int16, h *History) error {
	c, err := kgo.NewClient(patient(addrs)...)
	if err != nil {
		return err
	}
	defer c.Close()
	admin, segment := kadm.NewClient(c), "1048576"
	for topic, partitions := range topics {
		var configs map[string]*string
		if topic == "trimmed" {
			configs = map[string]*string{"segment.bytes": &segment}
		}
		made, err := admin.CreateTopic(ctx, partitions, replicas, configs, topic)
		if err != nil {
			return fmt.Errorf("create %s: %w", topic, err)
		}
		h.Created(topic, made.ID)
	}
	return nil
}

// Chores trims a partition and creates a topic. That a node cannot be reached is no
// failure: it may have been killed.
func Chores(ctx context.Context, addrs []string, replicas int16, h *History, rng *rand.Rand, name string) error {
	c, err := kgo.NewClient(patient(addrs)...)
	if err != nil {
		return err
	}
	defer c.Close()
	admin, p := kadm.NewClient(c), Place{"trimmed", rng.Int32N(topics["trimmed"])}
	if start, hw := h.Bounds(p); hw > start {
		to := start + rng.Int64N(hw-start)
		h.Trim(p, to)
		var offsets kadm.Offsets
		offsets.Add(kadm.Offset{Topic: p.Topic, Partition: p.Partition, At: to})
		if responses, err := admin.DeleteRecords(ctx, offsets); err == nil && responses.Error() == nil {
			h.Trimmed(p, to)
		}
	}
	if made, err := admin.CreateTopic(ctx, 1, replicas, nil, name); err == nil {
		h.Created(name, made.ID)
	}
	return nil
}

// Topics are the names of the topics of the load.
func Topics() []string { return slices.Sorted(maps.Keys(topics)) }
