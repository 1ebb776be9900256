package api

import (
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
)

// Host has the partitions of this broker: host.Host.
type Host interface {
	// Partition returns kerr.UnknownTopicOrPartition if the cluster has no such
	// partition and kerr.NotLeaderForPartition if it is elsewhere.
	Partition(model.TopicPartition) (*partition.Partition, error)
	PartitionByID(model.IDPartition) (*partition.Partition, error)
	DeleteRecords(p *partition.Partition, before int64) (start int64, err error)
	// MoveReplica begins to move a replica to another log folder. It returns
	// kerr.LogDirNotFound, kerr.KafkaStorageError or kerr.ReplicaNotAvailable.
	MoveReplica(tp model.TopicPartition, dir string) error
}
