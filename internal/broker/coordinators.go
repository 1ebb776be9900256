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

func (b *Broker) coordinate(c metadata.TopicChange) {
	for _, n := range c.Partitions() {
		if c.Is == nil || int(n) >= len(c.Is.Partitions) || c.Is.Partitions[n].Leader != b.cfg.NodeID {
			b.groups.Resign(n)
			continue
		}
		p, err := b.host.Partition(model.TopicPartition{Topic: model.ConsumerOffsetsTopic, Partition: n})
		if err != nil {
			b.cfg.Log.Error("coordinator has no log", "partition", n, "err", err)
			continue
		}
		b.groups.Lead(n, c.Is.Partitions[n].LeaderEpoch, p)
	}
}
