package broker

import (
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
)

// shareConfig is that of the share coordinator.
func (b *Broker) shareConfig() share.Config {
	return share.Config{
		Partitions: b.partitionsOf(model.ShareGroupStateTopic, config.ShareCoordinatorStateTopicNumPartitions),
		Topic: func(id model.ID) int32 {
			t, ok := b.feed.Image().TopicByID(id)
			if !ok {
				return 0
			}
			return int32(len(t.Partitions))
		},
		Settings: b.settings.shares,
		Prune: func(partition int32, before int64) error {
			p, err := b.host.Partition(model.TopicPartition{Topic: model.ShareGroupStateTopic, Partition: partition})
			if err == nil {
				_, err = b.host.DeleteRecords(p, before)
			}
			return err
		},
		Lease: b.lease, Clock: b.cfg.Clock,
		On:  b.cfg.FS,
		Log: b.cfg.Log,
	}
}

// shareClientConfig is that of who asks share coordinators, this broker's and others.
func (b *Broker) shareClientConfig() share.ClientConfig {
	return share.ClientConfig{Node: b.cfg.NodeID, Ask: b.brokers.Ask, Log: b.cfg.Log}
}

// shares are the settings of the share coordinator.
func (s *settings) shares() share.Settings {
	v := s.Values()
	millis := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	return share.Settings{
		UpdatesPerSnapshot: min(config.ShareCoordinatorSnapshotUpdateRecordsPerSnapshot.Get(v), 500), // as Kafka
		WriteTimeout:       millis(config.ShareCoordinatorWriteTimeoutMs.Get(v)),
		PruneInterval:      millis(config.ShareCoordinatorStateTopicPruneIntervalMs.Get(v)),
		ColdInterval:       millis(config.ShareCoordinatorColdPartitionSnapshotIntervalMs.Get(v)),
	}
}
