package broker

import (
	"context"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/coord/enlist"
	"github.com/odradek/odradek/internal/coord/txn"
	"github.com/odradek/odradek/internal/proto/model"
)

// txnConfig is that of the transaction coordinator.
func (b *Broker) txnConfig() txn.Config {
	return txn.Config{
		Partitions:     b.partitionsOf(model.TransactionStateTopic, config.TransactionStateLogNumPartitions),
		Settings:       b.settings.txns,
		TxnVersion:     b.txnVersion,
		ProducerID:     b.producerID,
		FirstEpoch:     b.cfg.FirstEpoch,
		GroupPartition: b.groups.PartitionFor,
		Leader:         b.leaderOf,
		Ask:            b.brokers.Ask,
		Lease:          b.lease,
		Clock:          b.cfg.Clock,
		On:             b.cfg.FS,
		Log:            b.cfg.Log,
	}
}

// txnVersion is the finalized transaction.version.
func (b *Broker) txnVersion() int16 {
	for name, level := range b.feed.Image().Features() {
		if name == controller.FeatureTransaction {
			return level
		}
	}
	return 0
}

// producerID returns a producer id that nobody had. A coordinator may ask before the desk,
// which has them, is there.
func (b *Broker) producerID(ctx context.Context) (int64, error) {
	select {
	case <-b.fronted:
		return b.front.ProducerID(ctx)
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// enlistConfig is that of who asks coordinators about this broker's partitions.
func (b *Broker) enlistConfig() enlist.Config {
	return enlist.Config{Node: b.cfg.NodeID, Ask: b.brokers.Ask, Coordinator: b.txnCoordinator, Log: b.cfg.Log}
}

// txnCoordinator is the broker that coordinates a transactional id.
func (b *Broker) txnCoordinator(id string) (node int32, ok bool) {
	_, p, ok := b.feed.Image().Partition(model.TransactionStateTopic, b.txns.PartitionFor(id))
	if !ok || p.Leader == model.NoLeader {
		return model.NoLeader, false
	}
	return p.Leader, true
}

// leaderOf is who leads a partition, as the newest image says.
func (b *Broker) leaderOf(tp model.TopicPartition) (node, epoch int32, exists bool) {
	_, p, ok := b.feed.Image().Partition(tp.Topic, tp.Partition)
	if !ok {
		return model.NoLeader, model.NoEpoch, false
	}
	return p.Leader, p.LeaderEpoch, true
}

// txns are the settings of the transaction coordinator.
func (s *settings) txns() txn.Settings {
	v := s.Values()
	millis := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	return txn.Settings{
		MaxTimeout:     millis(config.TransactionMaxTimeoutMs.Get(v)),
		IDExpiration:   millis(config.TransactionalIDExpirationMs.Get(v)),
		AbortInterval:  millis(config.TransactionAbortTimedOutTransactionCleanupIntervalMs.Get(v)),
		ExpiryInterval: millis(config.TransactionRemoveExpiredTransactionCleanupIntervalMs.Get(v)),
	}
}
