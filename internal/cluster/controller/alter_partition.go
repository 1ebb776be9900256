package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// AlterPartition decides whether leaders may change their ISRs. It fails as a whole
// when the broker is not registered in that epoch.
func (s State) AlterPartition(r AlterPartition) ([]ISRResult, []metadata.Record, error) {
	if _, err := s.broker(r.Broker, r.BrokerEpoch); err != nil {
		return nil, nil, err
	}
	results := make([]ISRResult, len(r.Partitions))
	seen := map[model.IDPartition]bool{}
	var recs []metadata.Record
	for i, p := range r.Partitions {
		results[i] = ISRResult{Topic: p.Topic, Partition: p.Partition}
		key := model.IDPartition{Topic: p.Topic, Partition: p.Partition}
		if seen[key] {
			results[i].Err = explainf(kerr.InvalidRequest, "Duplicate partition %s.", key)
			continue
		}
		seen[key] = true
		rec, state, err := s.alterPartition(r.Broker, p)
		results[i].State, results[i].Err = state, err
		if rec != nil {
			recs = append(recs, rec)
		}
	}
	return results, recs, nil
}

// alterPartition may return both a record and an error: the change completes a
// reassignment by which the caller ceases to lead.
func (s State) alterPartition(broker int32, r ISRChange) (metadata.Record, *metadata.Partition, error) {
	t, ok := s.Image.TopicByID(r.Topic)
	if !ok {
		return nil, nil, kerr.UnknownTopicID
	}
	if r.Partition < 0 || int(r.Partition) >= len(t.Partitions) {
		return nil, nil, kerr.UnknownTopicOrPartition
	}
	p := t.Partitions[r.Partition]
	if err := s.checkISRChange(broker, p, r); err != nil {
		return nil, nil, err
	}
	c := s.change(t, r.Partition)
	if s.uncleanAllowed(t) {
		c.election = uncleanly
	}
	c.now.ISR, c.now.Recovery = idsOf(r.ISR), r.Recovery
	rec, ok := c.done()
	if !ok {
		return nil, p, nil
	}
	if c.now.Leader != broker {
		return rec, nil, kerr.NewLeaderElected
	}
	return rec, &c.now, nil
}

func idsOf(isr []BrokerEpoch) []int32 {
	ids := make([]int32, len(isr))
	for i, b := range isr {
		ids[i] = b.ID
	}
	return ids
}

func (s State) checkISRChange(broker int32, p *metadata.Partition, r ISRChange) error {
	ids := idsOf(r.ISR)
	switch {
	case r.LeaderEpoch > p.LeaderEpoch || r.PartitionEpoch > p.PartitionEpoch:
		return kerr.NotController // the leader has seen more than we: another controller decides
	case r.LeaderEpoch < p.LeaderEpoch:
		return kerr.FencedLeaderEpoch
	case broker != p.Leader:
		return kerr.InvalidRequest
	case r.PartitionEpoch < p.PartitionEpoch:
		return kerr.InvalidUpdateVersion
	case !containsAll(p.Replicas, ids) || hasTwice(ids) || !slices.Contains(ids, p.Leader):
		return kerr.InvalidRequest
	case r.Recovery != metadata.Recovered && r.Recovery != metadata.Recovering:
		return kerr.InvalidRequest
	case r.Recovery == metadata.Recovering && (len(ids) > 1 || p.Recovery == metadata.Recovered):
		return kerr.InvalidRequest
	}
	for _, b := range r.ISR {
		if !s.eligible(b) {
			return kerr.IneligibleReplica
		}
	}
	return nil
}

func hasTwice(ids []int32) bool {
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return true
		}
	}
	return false
}

// eligible reports whether a broker may be in an ISR: it lives, in the registration
// that the leader knows.
func (s State) eligible(b BrokerEpoch) bool {
	reg, ok := s.Image.Broker(b.ID)
	return ok && reg.Active() && (b.Epoch == -1 || b.Epoch == reg.Epoch || planted.Is(planted.OldBrokerEpochInISR))
}
