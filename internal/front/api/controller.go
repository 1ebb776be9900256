package api

import (
	"context"
	"time"

	"github.com/odradek/odradek/internal/cluster/controller"
)

// Controller takes what only the controller decides. On the node that leads the quorum
// it is the controller's service; on any other it passes each call on.
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
	UpdateFeatures(ctx context.Context, updates []controller.FeatureUpdate, validateOnly bool) ([]controller.FeatureResult, error)
}

// patience bounds a call to the controller by the time that the client gives it, or by
// this node's own if it gives none.
func (s *Server) patience(ctx context.Context, millis int32) (context.Context, context.CancelFunc) {
	d := s.cfg.ControlTimeout
	if millis > 0 {
		d = time.Duration(millis) * time.Millisecond
	}
	return context.WithTimeout(ctx, d)
}
