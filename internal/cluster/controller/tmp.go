package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

func (s State) CreateTopics([]NewTopic, bool) ([]CreatedTopic, []metadata.Record) { return nil, nil }
func (s State) DeleteTopics([]TopicRef) ([]DeletedTopic, []metadata.Record)       { return nil, nil }
func (s State) CreatePartitions([]MorePartitions, bool) ([]TopicResult, []metadata.Record) {
	return nil, nil
}
func (s State) IncrementalAlterConfigs([]IncrementalAlter, bool) ([]ConfigResult, []metadata.Record) {
	return nil, nil
}
func (s State) AlterConfigs([]LegacyAlter, bool) ([]ConfigResult, []metadata.Record) { return nil, nil }
func (s State) RegisterBroker(Registration) (int64, []metadata.Record, error) {
	return 0, nil, kerr.UnsupportedVersion
}
func (s State) Heartbeat(Heartbeat) (HeartbeatResult, []metadata.Record, error) {
	return HeartbeatResult{}, nil, kerr.UnsupportedVersion
}
func (s State) FenceBroker(int32) ([]metadata.Record, error) { return nil, kerr.UnsupportedVersion }
func (s State) UnregisterBroker(int32) ([]metadata.Record, error) {
	return nil, kerr.UnsupportedVersion
}
func (s State) AllocateProducerIDs(int32, int64) (ProducerIDBlock, []metadata.Record, error) {
	return ProducerIDBlock{}, nil, kerr.UnsupportedVersion
}
func (s State) ElectLeaders(ElectionType, []TopicPartitions) ([]PartitionResult, []metadata.Record) {
	return nil, nil
}
func (s State) AlterPartitionReassignments(Reassign) ([]PartitionResult, []metadata.Record) {
	return nil, nil
}
func (s State) ListPartitionReassignments([]TopicPartitions) []OngoingReassignment { return nil }
func (s State) UpdateFeatures([]FeatureUpdate, bool) ([]FeatureResult, []metadata.Record) {
	return nil, nil
}
func (s State) AlterPartition(AlterPartition) ([]ISRResult, []metadata.Record, error) {
	return nil, nil, kerr.UnsupportedVersion
}
func (s State) Bootstrap(int32, int64, string) ([]metadata.Record, error) {
	return nil, kerr.UnsupportedVersion
}
