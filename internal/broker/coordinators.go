package broker

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// offsetsPartitions is the number of partitions of __consumer_offsets, or will be.
func (b *Broker) offsetsPartitions() int32 {
	if t, ok := b.feed.Image().Topic(model.ConsumerOffsetsTopic); ok {
		return int32(len(t.Partitions))
	}
	return int32(config.OffsetsTopicNumPartitions.Get(b.settings.Values()))
}

// followCoordinators gives the group coordinator the partitions of its topic that this
// node leads, takes away the others, and tells it of topics that were deleted.
func (b *Broker) followCoordinators(ctx context.Context) error {
	image := metadata.Empty()
	for {
		next, changes, err := b.feed.Next(ctx, image)
		if err != nil {
			return nil // the context has ended
		}
		image = next
		var deleted []string
		for _, c := range changes.Topics {
			if c.Is == nil {
				deleted = append(deleted, c.Was.Name)
			}
			if name(c) == model.ConsumerOffsetsTopic {
				b.coordinate(c)
			}
		}
		if len(deleted) > 0 {
			b.groups.TopicDeleted(deleted)
		}
	}
}

func name(c metadata.TopicChange) string {
	if c.Is != nil {
		return c.Is.Name
	}
	return c.Was.Name
}

// coordinate begins or ends the coordination of the partitions of the group
// coordinator's topic whose leader has changed.
func (b *Broker) coordinate(c metadata.TopicChange) {
	for _, n := range c.Partitions() {
		if c.Is == nil || int(n) >= len(c.Is.Partitions) || c.Is.Partitions[n].Leader != b.cfg.NodeID {
			b.groups.Resign(n)
			continue
		}
		is := c.Is.Partitions[n]
		if c.Was != nil && int(n) < len(c.Was.Partitions) && c.Was.Partitions[n].LeaderEpoch == is.LeaderEpoch {
			continue // the ISR or the replicas
		}
		p, err := b.host.Partition(model.TopicPartition{Topic: model.ConsumerOffsetsTopic, Partition: n})
		if err != nil {
			b.cfg.Log.Error("coordinator has no log", "partition", n, "err", err)
			continue
		}
		b.groups.Lead(n, is.LeaderEpoch, p)
	}
}
