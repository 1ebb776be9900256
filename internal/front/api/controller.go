package api

import (
	"context"
	"time"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// Controller takes what only the controller decides: controller.Service. On a node that
// does not lead the quorum each call returns kerr.NotController, nothing is done, and the
// request is passed on. Of a decision that may stand or not nobody but the client may ask
// again: that is kerr.RequestTimedOut.
type Controller interface {
	CreateTopics(ctx context.Context, topics []controller.NewTopic, validateOnly bool) ([]controller.CreatedTopic, error)
	DeleteTopics(ctx context.Context, topics []controller.TopicRef) ([]controller.DeletedTopic, error)
	CreatePartitions(ctx context.Context, topics []controller.MorePartitions, validateOnly bool) ([]controller.TopicResult, error)
	IncrementalAlterConfigs(ctx context.Context, alters []controller.IncrementalAlter, validateOnly bool) ([]controller.ConfigResult, error)
	AlterConfigs(ctx context.Context, alters []controller.LegacyAlter, validateOnly bool) ([]controller.ConfigResult, error)
	UnregisterBroker(ctx context.Context, id int32) error
	AllocateProducerIDs(ctx context.Context, broker int32, epoch int64) (controller.ProducerIDBlock, error)
	ElectLeaders(ctx context.Context, kind controller.ElectionType, partitions []controller.TopicPartitions) ([]controller.PartitionResult, error)
	AlterPartitionReassignments(ctx context.Context, r controller.Reassign) ([]controller.PartitionResult, error)
	ListPartitionReassignments(ctx context.Context, partitions []controller.TopicPartitions) ([]controller.OngoingReassignment, error)
	AlterPartition(ctx context.Context, r controller.AlterPartition) ([]controller.ISRResult, error)
	RegisterBroker(ctx context.Context, r controller.Registration) (epoch int64, err error)
	Heartbeat(ctx context.Context, h controller.Heartbeat) (controller.HeartbeatResult, error)
	RegisterController(ctx context.Context, c metadata.Controller) error
	AssignReplicasToDirs(ctx context.Context, a controller.AssignDirs) ([]controller.DirResult, error)
	AddVoter(ctx context.Context, id int32, directory model.ID) error
	RemoveVoter(ctx context.Context, id int32, directory model.ID) error
	// Heard is what a broker said last: how far it has applied the metadata, and when.
	Heard(id int32) (offset int64, at time.Time, ok bool)
	UpdateFeatures(ctx context.Context, updates []controller.FeatureUpdate, validateOnly bool) ([]controller.FeatureResult, error)
}
