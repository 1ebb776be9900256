package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// AlterPartitionReassignments decides moves of replicas. A partition keeps its old
// replicas beside the new ones until these are in sync.
func (s State) AlterPartitionReassignments(r Reassign) ([]PartitionResult, []metadata.Record) {
	results := make([]PartitionResult, len(r.Partitions))
	seen := map[model.TopicPartition]bool{}
	var recs []metadata.Record
	for i, p := range r.Partitions {
		results[i].TopicPartition = p.TopicPartition
		if seen[p.TopicPartition] {
			results[i].Err = explainf(kerr.InvalidRequest, "Duplicate partition %s.", p.TopicPartition)
			continue
		}
		seen[p.TopicPartition] = true
		rec, err := s.reassign(p, r.AllowReplicationChange)
		results[i].Err = err
		if rec != nil {
			recs = append(recs, rec)
		}
	}
	return results, recs
}

// reassign returns nil, nil when the partition is already as it should be.
func (s State) reassign(r Reassignment, allowChange bool) (metadata.Record, error) {
	t, p, ok := s.Image.Partition(r.Topic, r.Partition)
	if t == nil {
		return nil, explainf(kerr.UnknownTopicOrPartition, "Unable to find a topic named %s.", r.Topic)
	}
	if !ok {
		return nil, explainf(kerr.UnknownTopicOrPartition, "Unable to find partition %s:%d.", r.Topic, r.Partition)
	}
	c := s.change(t, r.Partition)
	if r.Replicas == nil {
		if err := c.cancel(p); err != nil {
			return nil, err
		}
	} else if err := c.move(p, r.Replicas, allowChange); err != nil {
		return nil, err
	}
	rec, _ := c.done()
	return rec, nil
}

// cancel goes back to the replicas of before.
func (c *change) cancel(p *metadata.Partition) error {
	if !p.Reassigning() {
		return kerr.NoReassignmentInProgress
	}
	unclean := c.s.uncleanAllowed(c.topic)
	if unclean {
		c.election = uncleanly
	}
	c.now.Replicas, c.now.ISR = without(p.Replicas, p.Adding), without(p.ISR, p.Adding)
	c.now.ELR = within(p.ELR, c.now.Replicas)
	c.now.Adding, c.now.Removing = nil, nil
	if len(c.now.Replicas) == 0 {
		return explainf(kerr.InvalidReplicaAssignment, "Invalid replica assignment: addingReplicas contains all replicas.")
	}
	if len(c.now.ISR)+len(c.now.ELR) == 0 {
		if !unclean {
			return explainf(kerr.InvalidReplicaAssignment, "Unable to revert partition assignment for %s:%d because it "+
				"would require an unclean leader election.", c.topic.Name, c.number)
		}
		c.now.ISR, c.now.Recovery = c.now.Replicas[:1:1], metadata.Recovering
	}
	return nil
}

// move begins or changes a reassignment.
//
// Replicas that a move under way had brought and the new one does not want go in the end,
// as those of before do; until then they may be the ones in sync. They stay among those
// that come, too, so that cancelling leads back to the replicas of before.
func (c *change) move(p *metadata.Partition, target []int32, allowChange bool) error {
	if err := c.s.checkAssignment(target, 0); err != nil {
		return err
	}
	if err := c.checkCordoned(p, target); err != nil {
		return err
	}
	if will := len(without(p.Replicas, p.Removing)); !allowChange && len(target) != will {
		return explainf(kerr.InvalidReplicationFactor,
			"The replication factor is changed from %d to %d", will, len(target))
	}
	before := without(p.Replicas, p.Adding)
	c.now.Removing = nonEmpty(sorted(without(p.Replicas, target)))
	c.now.Replicas = append(slices.Clone(target), c.now.Removing...)
	c.now.Adding = nonEmpty(sorted(without(c.now.Replicas, before)))
	return nil
}

// checkCordoned refuses to bring a replica to a broker that is to get none.
func (c *change) checkCordoned(p *metadata.Partition, target []int32) error {
	for _, id := range without(target, p.Replicas) {
		if c.s.Rules.Cordoned(c.s.Image, id) {
			return explainf(kerr.InvalidReplicaAssignment, "All log directories of broker %d are cordoned.", id)
		}
	}
	return nil
}

func sorted(list []int32) []int32 { slices.Sort(list); return list }

// ListPartitionReassignments lists the partitions that move: nil means of all topics.
func (s State) ListPartitionReassignments(partitions []TopicPartitions) []OngoingReassignment {
	var list []OngoingReassignment
	add := func(t *metadata.Topic, number int32) {
		if p := t.Partitions[number]; p.Reassigning() {
			list = append(list, OngoingReassignment{
				model.TopicPartition{Topic: t.Name, Partition: number}, p.Replicas, p.Adding, p.Removing,
			})
		}
	}
	if partitions == nil {
		for t := range s.Image.Topics() {
			for i := range t.Partitions {
				add(t, int32(i))
			}
		}
	}
	for _, tp := range partitions {
		for _, number := range tp.Partitions {
			if t, _, ok := s.Image.Partition(tp.Topic, number); ok {
				add(t, number)
			}
		}
	}
	return list
}
