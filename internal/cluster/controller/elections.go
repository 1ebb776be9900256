package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// ElectLeaders decides elections. Of all partitions (nil), those that already have the
// leader they should are not in the results.
func (s State) ElectLeaders(kind ElectionType, partitions []TopicPartitions) ([]PartitionResult, []metadata.Record) {
	var results []PartitionResult
	var recs []metadata.Record
	add := func(topic string, number int32, always bool, err error, rec metadata.Record) {
		if always || err != kerr.ElectionNotNeeded {
			results = append(results, PartitionResult{model.TopicPartition{Topic: topic, Partition: number}, err})
		}
		if rec != nil {
			recs = append(recs, rec)
		}
	}
	if partitions == nil {
		for t := range s.Image.Topics() {
			for i := range t.Partitions {
				rec, err := s.electLeader(kind, t.Name, int32(i))
				add(t.Name, int32(i), false, err, rec)
			}
		}
		return results, recs
	}
	seen := map[model.TopicPartition]bool{}
	for _, tp := range partitions {
		for _, number := range tp.Partitions {
			key := model.TopicPartition{Topic: tp.Topic, Partition: number}
			if seen[key] {
				add(tp.Topic, number, true, explainf(kerr.InvalidRequest, "Duplicate partition %s.", key), nil)
				continue
			}
			seen[key] = true
			rec, err := s.electLeader(kind, tp.Topic, number)
			add(tp.Topic, number, true, err, rec)
		}
	}
	return results, recs
}

func (s State) electLeader(kind ElectionType, topic string, number int32) (metadata.Record, error) {
	if kind != PreferredElection && kind != UncleanElection {
		return nil, explainf(kerr.InvalidRequest, "Unknown election type %d", kind)
	}
	t, p, ok := s.Image.Partition(topic, number)
	if t == nil {
		return nil, explainf(kerr.UnknownTopicOrPartition, "No such topic as %s", topic)
	}
	if !ok {
		return nil, explainf(kerr.UnknownTopicOrPartition, "No such partition as %s-%d", topic, number)
	}
	if kind == PreferredElection && p.Leader == p.Preferred() || kind == UncleanElection && p.Leader != model.NoLeader {
		return nil, kerr.ElectionNotNeeded
	}
	c := s.change(t, number)
	c.election = preferred
	if kind == UncleanElection {
		c.election = uncleanly
	}
	rec, ok := c.done()
	switch {
	case ok:
		return rec, nil
	case kind == PreferredElection:
		return nil, kerr.PreferredLeaderNotAvailable
	default:
		return nil, kerr.EligibleLeadersNotAvailable
	}
}
