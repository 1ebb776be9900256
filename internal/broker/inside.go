package broker

import (
	"errors"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/prometheus/client_golang/prometheus"
)

// This file is what a simulator may see of a node's inside. Nothing in the product asks it.

var errNotReady = errors.New("the node does not serve yet")

func (b *Broker) isReady() bool {
	select {
	case <-b.ready:
		return true
	default:
		return false
	}
}

// Feed tells of every image of the cluster that this node has, from its beginning on.
func (b *Broker) Feed() *metadata.Feed { return b.feed }

// Leading reports whether this node decides for the cluster. One that is not ready yet is
// not asked.
func (b *Broker) Leading() bool { return b.isReady() && b.control != nil && b.control.Leading() }

// Replica is this node's replica of a partition.
func (b *Broker) Replica(tp model.TopicPartition) (*partition.Partition, error) {
	if !b.isReady() || b.host == nil {
		return nil, errNotReady
	}
	return b.host.Partition(tp)
}

// OfflineDirs is how many of the node's log folders it has given up.
func (b *Broker) OfflineDirs() int {
	if !b.isReady() || b.host == nil {
		return 0
	}
	return b.host.OfflineDirs()
}

// GroupPartition, TxnPartition and SharePartition are the partitions of the internal topics
// that a group, a transactional id and a share partition's key fall on. The node is ready and
// a broker.
func (b *Broker) GroupPartition(group string) int32 { return b.groups.PartitionFor(group) }
func (b *Broker) TxnPartition(id string) int32      { return b.txns.PartitionFor(id) }
func (b *Broker) SharePartition(key string) int32   { return b.shares.PartitionFor(key) }

// Sharing asks for and changes the states of share partitions, as leaders do. The node is
// ready and a broker.
func (b *Broker) Sharing() *share.Client { return b.sharing }

// Gatherer has the node's metrics.
func (b *Broker) Gatherer() prometheus.Gatherer { return b.metrics.registry }
