package controller

import (
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// NewTopic asks for one topic. Partitions and ReplicationFactor of -1 mean the
// broker's default; with Assignments both must be -1.
type NewTopic struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16
	Assignments       []Assignment
	Configs           []Config
}

// Assignment places one partition by hand: the first broker is preferred.
type Assignment struct {
	Partition int32
	Brokers   []int32
}

// Config is a key and its value; nil asks for the default.
type Config struct {
	Key   string
	Value *string
}

// CreatedTopic is the fate of one NewTopic, with what was or (validateOnly) would be.
type CreatedTopic struct {
	Name              string
	ID                model.ID // zero if validateOnly
	Partitions        int32
	ReplicationFactor int16
	Configs           map[string]string // what was set, without defaults
	Err               error
}

// TopicRef names a topic by name, or by ID if Name is empty.
type TopicRef struct {
	Name string
	ID   model.ID
}

// DeletedTopic is the fate of one TopicRef, with name and id where they are known.
type DeletedTopic struct {
	Name string
	ID   model.ID
	Err  error
}

// MorePartitions asks that a topic have Count partitions. Assignments, if any, has
// the brokers of each new one.
type MorePartitions struct {
	Topic       string
	Count       int32
	Assignments [][]int32
}

// TopicResult is the fate of one topic of a request.
type TopicResult struct {
	Topic string
	Err   error
}

// ConfigOp is Kafka's number of an incremental change to a config.
type ConfigOp int8

const (
	OpSet      ConfigOp = 0
	OpDelete   ConfigOp = 1
	OpAppend   ConfigOp = 2
	OpSubtract ConfigOp = 3
)

// ConfigChange is one incremental change.
type ConfigChange struct {
	Key   string
	Op    ConfigOp
	Value *string
}

// IncrementalAlter changes some configs of one resource, all or none.
type IncrementalAlter struct {
	Resource metadata.Resource
	Changes  []ConfigChange
}

// LegacyAlter replaces all configs of one resource.
type LegacyAlter struct {
	Resource metadata.Resource
	Configs  []Config
}

// ConfigResult is the fate of one resource.
type ConfigResult struct {
	Resource metadata.Resource
	Err      error
}

// Registration is a broker's BrokerRegistration request. PreviousEpoch is -1 or the
// epoch that the broker remembers from a clean shutdown (KIP-966).
type Registration struct {
	ID            int32
	ClusterID     string
	Incarnation   model.ID
	Rack          *string
	Endpoints     []metadata.Endpoint
	Features      []metadata.FeatureRange
	LogDirs       []model.ID
	PreviousEpoch int64
}

// Heartbeat is a broker's BrokerHeartbeat request.
type Heartbeat struct {
	ID             int32
	Epoch          int64
	MetadataOffset int64 // how far the broker has applied the metadata
	WantFence      bool
	WantShutDown   bool
	OfflineDirs    []model.ID
}

// HeartbeatResult tells the broker how the cluster sees it now.
type HeartbeatResult struct {
	CaughtUp       bool
	Fenced         bool
	ShouldShutDown bool
}

// ProducerIDBlock is the ids [Start, Start+Len).
type ProducerIDBlock struct {
	Start int64
	Len   int32
}

// ElectionType is Kafka's number of an election.
type ElectionType int8

const (
	PreferredElection ElectionType = 0
	UncleanElection   ElectionType = 1
)

// PartitionResult is the fate of one partition of a request.
type PartitionResult struct {
	model.TopicPartition
	Err error
}

// Reassignment asks for new replicas of one partition; nil cancels the reassignment
// under way.
type Reassignment struct {
	model.TopicPartition
	Replicas []int32
}

// Reassign is an AlterPartitionReassignments request.
type Reassign struct {
	Partitions             []Reassignment
	AllowReplicationChange bool
}

// OngoingReassignment is one partition that is moving.
type OngoingReassignment struct {
	model.TopicPartition
	Replicas, Adding, Removing []int32
}

// FeatureUpgrade is Kafka's number of the kind of a feature update.
type FeatureUpgrade int8

const (
	Upgrade         FeatureUpgrade = 1
	SafeDowngrade   FeatureUpgrade = 2
	UnsafeDowngrade FeatureUpgrade = 3
)

// FeatureUpdate asks for a finalized level; level 0 removes the feature.
type FeatureUpdate struct {
	Name  string
	Level int16
	Type  FeatureUpgrade
}

// FeatureResult is the fate of one FeatureUpdate.
type FeatureResult struct {
	Name string
	Err  error
}

// AlterPartition is a leader's request to change the ISR of its partitions.
type AlterPartition struct {
	Broker      int32
	BrokerEpoch int64
	Partitions  []ISRChange
}

// ISRChange is what the leader of one partition asks for. ISR has the ids and epochs
// of the brokers (-1: not known).
type ISRChange struct {
	Topic          model.ID
	Partition      int32
	LeaderEpoch    int32
	PartitionEpoch int32
	ISR            []BrokerEpoch
	Recovery       metadata.Recovery
}

// BrokerEpoch is a broker in one registration.
type BrokerEpoch struct {
	ID    int32
	Epoch int64
}

// ISRResult is the partition after an ISRChange, or why not.
type ISRResult struct {
	Topic     model.ID
	Partition int32
	State     *metadata.Partition
	Err       error
}

// TopicPartitions is a topic and some of its partitions.
type TopicPartitions struct {
	Topic      string
	Partitions []int32
}

// AssignDirs is a broker's word on which of its folders hold replicas.
type AssignDirs struct {
	Broker      int32
	BrokerEpoch int64
	Replicas    []DirReplica
}

// DirReplica is one replica and its folder.
type DirReplica struct {
	Dir       model.ID
	Topic     model.ID
	Partition int32
}

// DirResult is the fate of one DirReplica.
type DirResult struct {
	DirReplica
	Err error
}
