package controller

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// The requests that the Service takes. Each returns an error of its own only if the
// decision was not made or not agreed (kerr.NotController, kerr.RequestTimedOut …);
// what is wrong with an item stands in the item's result. Results are in the order of
// their requests.

// CreateTopics makes topics. With validateOnly it tells what would be.
func (s *Service) CreateTopics(ctx context.Context, topics []NewTopic, validateOnly bool) ([]CreatedTopic, error) {
	return decide(ctx, s, func(st State) ([]CreatedTopic, []metadata.Record) {
		return st.CreateTopics(topics, validateOnly)
	})
}

// DeleteTopics removes topics by name or id.
func (s *Service) DeleteTopics(ctx context.Context, topics []TopicRef) ([]DeletedTopic, error) {
	return decide(ctx, s, func(st State) ([]DeletedTopic, []metadata.Record) {
		return st.DeleteTopics(topics)
	})
}

// CreatePartitions gives topics more partitions.
func (s *Service) CreatePartitions(ctx context.Context, topics []MorePartitions, validateOnly bool) ([]TopicResult, error) {
	return decide(ctx, s, func(st State) ([]TopicResult, []metadata.Record) {
		return st.CreatePartitions(topics, validateOnly)
	})
}

// IncrementalAlterConfigs changes configs one by one (KIP-339).
func (s *Service) IncrementalAlterConfigs(ctx context.Context, alters []IncrementalAlter, validateOnly bool) ([]ConfigResult, error) {
	return decide(ctx, s, func(st State) ([]ConfigResult, []metadata.Record) {
		return st.IncrementalAlterConfigs(alters, validateOnly)
	})
}

// AlterConfigs replaces all configs of resources, as the deprecated request does.
func (s *Service) AlterConfigs(ctx context.Context, alters []LegacyAlter, validateOnly bool) ([]ConfigResult, error) {
	return decide(ctx, s, func(st State) ([]ConfigResult, []metadata.Record) {
		return st.AlterConfigs(alters, validateOnly)
	})
}

// RegisterBroker registers a broker, fenced, and returns its epoch.
func (s *Service) RegisterBroker(ctx context.Context, r Registration) (epoch int64, err error) {
	return decideOne(ctx, s, func(st State) (int64, []metadata.Record, error) {
		return st.RegisterBroker(r)
	})
}

// FenceBroker takes a broker out of service without its word, as when its heartbeats
// have stopped.
func (s *Service) FenceBroker(ctx context.Context, id int32) error {
	return decideNothing(ctx, s, func(st State) ([]metadata.Record, error) {
		return st.FenceBroker(id)
	})
}

// UnregisterBroker removes a broker's registration.
func (s *Service) UnregisterBroker(ctx context.Context, id int32) error {
	return decideNothing(ctx, s, func(st State) ([]metadata.Record, error) {
		return st.UnregisterBroker(id)
	})
}

// AllocateProducerIDs gives a broker the next block of producer ids.
func (s *Service) AllocateProducerIDs(ctx context.Context, broker int32, epoch int64) (ProducerIDBlock, error) {
	return decideOne(ctx, s, func(st State) (ProducerIDBlock, []metadata.Record, error) {
		return st.AllocateProducerIDs(broker, epoch)
	})
}

// ElectLeaders elects leaders for partitions; nil means all, of which only those with
// something to tell are in the results.
func (s *Service) ElectLeaders(ctx context.Context, kind ElectionType, partitions []TopicPartitions) ([]PartitionResult, error) {
	return decide(ctx, s, func(st State) ([]PartitionResult, []metadata.Record) {
		return st.ElectLeaders(kind, partitions)
	})
}

// AlterPartitionReassignments begins or cancels moves of replicas.
func (s *Service) AlterPartitionReassignments(ctx context.Context, r Reassign) ([]PartitionResult, error) {
	return decide(ctx, s, func(st State) ([]PartitionResult, []metadata.Record) {
		return st.AlterPartitionReassignments(r)
	})
}

// ListPartitionReassignments tells which partitions move; nil means of all.
func (s *Service) ListPartitionReassignments(ctx context.Context, partitions []TopicPartitions) ([]OngoingReassignment, error) {
	return decide(ctx, s, func(st State) ([]OngoingReassignment, []metadata.Record) {
		return st.ListPartitionReassignments(partitions), nil
	})
}

// UpdateFeatures finalizes features. Either all updates happen or, with an error in
// any result, none.
func (s *Service) UpdateFeatures(ctx context.Context, updates []FeatureUpdate, validateOnly bool) ([]FeatureResult, error) {
	return decide(ctx, s, func(st State) ([]FeatureResult, []metadata.Record) {
		return st.UpdateFeatures(updates, validateOnly)
	})
}

// AlterPartition changes the ISR of partitions at their leader's request.
func (s *Service) AlterPartition(ctx context.Context, r AlterPartition) ([]ISRResult, error) {
	return decideOne(ctx, s, func(st State) ([]ISRResult, []metadata.Record, error) {
		return st.AlterPartition(r)
	})
}

// AssignReplicasToDirs notes in which folders a broker keeps replicas.
func (s *Service) AssignReplicasToDirs(ctx context.Context, a AssignDirs) ([]DirResult, error) {
	return decideOne(ctx, s, func(st State) ([]DirResult, []metadata.Record, error) {
		return st.AssignReplicasToDirs(a)
	})
}

// RegisterController notes where a node of the quorum is and what it supports.
func (s *Service) RegisterController(ctx context.Context, c metadata.Controller) error {
	return decideNothing(ctx, s, func(st State) ([]metadata.Record, error) {
		return st.RegisterController(c)
	})
}

// Bootstrap names the cluster and finalizes the newest features if this is its first
// start, and says who decides. The broker calls it once a term, after WaitLead.
func (s *Service) Bootstrap(ctx context.Context, clusterID string) error {
	return decideNothing(ctx, s, func(st State) ([]metadata.Record, error) {
		return st.Bootstrap(s.o.Node, s.term, clusterID)
	})
}

type result[T any] struct {
	answer T
	err    error
}

// decideOne is decide for a decision that fails as a whole.
func decideOne[T any](ctx context.Context, s *Service, decision func(State) (T, []metadata.Record, error)) (T, error) {
	r, err := decide(ctx, s, func(st State) (result[T], []metadata.Record) {
		answer, recs, err := decision(st)
		if err != nil {
			return result[T]{err: err}, nil
		}
		return result[T]{answer: answer}, recs
	})
	if err != nil {
		return r.answer, err
	}
	return r.answer, r.err
}

func decideNothing(ctx context.Context, s *Service, decision func(State) ([]metadata.Record, error)) error {
	_, err := decideOne(ctx, s, func(st State) (struct{}, []metadata.Record, error) {
		recs, err := decision(st)
		return struct{}{}, recs, err
	})
	return err
}
