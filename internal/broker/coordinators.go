package broker

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
)

// coordinator keeps state machines on the partitions of an internal topic.
type coordinator interface {
	Lead(partition, epoch int32, log runtime.Log)
	Resign(partition int32)
}

// coordinators are those of this node, by the topic that they live on.
func (b *Broker) coordinators() map[string]coordinator {
	return map[string]coordinator{
		model.ConsumerOffsetsTopic:  b.groups,
		model.TransactionStateTopic: b.txns,
		model.ShareGroupStateTopic:  b.shares,
	}
}

// partitionsOf is the number of partitions of an internal topic, or what will be when it
// is made.
func (b *Broker) partitionsOf(topic string, settled config.Key[int]) func() int32 {
	return func() int32 {
		if t, ok := b.feed.Image().Topic(topic); ok {
			return int32(len(t.Partitions))
		}
		return int32(settled.Get(b.settings.Values()))
	}
}

// followCoordinators gives the coordinators the partitions of their topics that this node
// leads, takes away the others, and tells them of topics that were deleted.
func (b *Broker) followCoordinators(ctx context.Context) error {
	image, all := metadata.Empty(), b.coordinators()
	for {
		next, changes, err := b.feed.Next(ctx, image)
		if err != nil {
			return nil // the context has ended
		}
		image = next
		var deleted []string
		var gone []model.ID
		for _, c := range changes.Topics {
			if c.Is == nil {
				deleted, gone = append(deleted, c.Was.Name), append(gone, c.Was.ID)
			}
			if who := all[name(c)]; who != nil {
				b.coordinate(who, c)
			}
		}
		if len(changes.Topics) > 0 {
			b.txns.ImageMoved()
			b.groups.ImageMoved()
			b.deliveries.Sweep()
		}
		if len(deleted) > 0 {
			b.groups.TopicDeleted(deleted)
			b.shares.TopicDeleted(gone)
		}
	}
}

func name(c metadata.TopicChange) string {
	if c.Is != nil {
		return c.Is.Name
	}
	return c.Was.Name
}

// coordinate begins or ends the coordination of the partitions of a coordinator's topic
// whose leader has changed.
func (b *Broker) coordinate(who coordinator, c metadata.TopicChange) {
	for _, n := range c.Partitions() {
		if c.Is == nil || int(n) >= len(c.Is.Partitions) || c.Is.Partitions[n].Leader != b.cfg.NodeID {
			who.Resign(n)
			continue
		}
		is := c.Is.Partitions[n]
		if c.Was != nil && int(n) < len(c.Was.Partitions) && c.Was.Partitions[n].LeaderEpoch == is.LeaderEpoch {
			continue // the ISR or the replicas
		}
		p, err := b.host.Partition(model.TopicPartition{Topic: c.Is.Name, Partition: n})
		if err != nil {
			b.cfg.Log.Error("coordinator has no log", "topic", c.Is.Name, "partition", n, "err", err)
			continue
		}
		who.Lead(n, is.LeaderEpoch, p)
	}
}
