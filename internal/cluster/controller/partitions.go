package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// CreatePartitions decides which topics can get the partitions that are asked for.
func (s State) CreatePartitions(topics []MorePartitions, validateOnly bool) ([]TopicResult, []metadata.Record) {
	results := make([]TopicResult, len(topics))
	names := countNames(topics, func(t MorePartitions) string { return t.Topic })
	var recs []metadata.Record
	for i, t := range topics {
		results[i].Topic = t.Topic
		if names[t.Topic] > 1 {
			results[i].Err = explainf(kerr.InvalidRequest, "Duplicate topic name.")
			continue
		}
		more, err := s.createPartitions(t)
		results[i].Err = err
		recs = append(recs, more...)
	}
	if validateOnly {
		return results, nil
	}
	return results, recs
}

func (s State) createPartitions(t MorePartitions) ([]metadata.Record, error) {
	topic, ok := s.Image.Topic(t.Topic)
	if !ok {
		return nil, kerr.UnknownTopicOrPartition
	}
	have := len(topic.Partitions)
	if int(t.Count) == have {
		return nil, explainf(kerr.InvalidPartitions, "Topic already has %d partition(s).", have)
	}
	if int(t.Count) < have {
		return nil, explainf(kerr.InvalidPartitions,
			"The topic %s currently has %d partition(s); %d would not be an increase.", t.Topic, have, t.Count)
	}
	more := int(t.Count) - have
	if more > s.Rules.MaxPartitions {
		return nil, explainf(kerr.PolicyViolation, "Excessively large number of partitions per request.")
	}
	placed, err := s.placeMore(t, topic, more)
	if err != nil {
		return nil, err
	}
	recs := make([]metadata.Record, len(placed))
	for i, p := range placed {
		recs[i] = metadata.AddPartition{Topic: topic.ID, Number: int32(have + i), Partition: p}
	}
	return recs, nil
}

func (s State) placeMore(t MorePartitions, topic *metadata.Topic, more int) ([]metadata.Partition, error) {
	replicas := len(topic.Partitions[0].Replicas)
	if t.Assignments == nil {
		return s.placeNew(more, replicas)
	}
	if len(t.Assignments) != more {
		return nil, explainf(kerr.InvalidReplicaAssignment, "Attempted to add %d additional partition(s), "+
			"but only %d assignment(s) were specified.", more, len(t.Assignments))
	}
	placed := make([]metadata.Partition, more)
	for i, brokers := range t.Assignments {
		p, err := s.placeByHand(int32(len(topic.Partitions)+i), brokers, replicas)
		if err != nil {
			return nil, err
		}
		placed[i] = p
	}
	return placed, nil
}
