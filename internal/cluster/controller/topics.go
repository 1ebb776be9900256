package controller

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// CreateTopics decides which topics can be made. Those that cannot do not keep the
// others from being made; a request for too many partitions is refused whole.
func (s State) CreateTopics(topics []NewTopic, validateOnly bool) ([]CreatedTopic, []metadata.Record) {
	results := make([]CreatedTopic, len(topics))
	names := countNames(topics, func(t NewTopic) string { return t.Name })
	tooMany := s.newPartitions(topics) > s.Rules.MaxPartitions
	var recs []metadata.Record
	for i, t := range topics {
		r := &results[i]
		r.Name = t.Name
		if tooMany {
			r.Err = explainf(kerr.PolicyViolation, "Excessively large number of partitions per request.")
			continue
		}
		if r.Err = s.checkNewName(t.Name, names[t.Name] > 1); r.Err != nil {
			continue
		}
		var made []metadata.Record
		if made, r.Err = s.createTopic(t, r); r.Err == nil {
			recs = append(recs, made...)
		}
	}
	if validateOnly {
		for i := range results {
			results[i].ID = model.ID{}
		}
		return results, nil
	}
	return results, recs
}

func countNames[T any](list []T, name func(T) string) map[string]int {
	n := map[string]int{}
	for _, t := range list {
		n[name(t)]++
	}
	return n
}

func (s State) newPartitions(topics []NewTopic) int {
	n := 0
	for _, t := range topics {
		switch {
		case len(t.Assignments) > 0:
			n += len(t.Assignments)
		case t.Partitions == -1:
			n += int(s.Rules.Partitions)
		case t.Partitions > 0:
			n += int(t.Partitions)
		}
	}
	return n
}

func (s State) checkNewName(name string, twice bool) error {
	if twice {
		return explainf(kerr.InvalidRequest, "Duplicate topic name.")
	}
	if err := model.ValidateTopicName(name); err != nil {
		return explainf(kerr.InvalidTopicException, "Topic name is invalid: %s", err)
	}
	if _, ok := s.Image.Topic(name); ok {
		return explainf(kerr.TopicAlreadyExists, "Topic '%s' already exists.", name)
	}
	if other, ok := s.Image.Collision(name); ok {
		return explainf(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", name, other)
	}
	return nil
}

func (s State) createTopic(t NewTopic, r *CreatedTopic) ([]metadata.Record, error) {
	configs, err := s.newConfigs(t)
	if err != nil {
		return nil, err
	}
	placed, err := s.assign(t)
	if err != nil {
		return nil, err
	}
	r.ID, r.Configs = s.newID(), configs
	r.Partitions, r.ReplicationFactor = int32(len(placed)), int16(len(placed[0].Replicas))
	recs := []metadata.Record{metadata.AddTopic{Name: t.Name, ID: r.ID}}
	for _, c := range t.Configs {
		recs = append(recs, metadata.SetConfig{Resource: topicResource(t.Name), Key: c.Key, Value: c.Value})
	}
	for i, p := range placed {
		recs = append(recs, metadata.AddPartition{Topic: r.ID, Number: int32(i), Partition: p})
	}
	return recs, nil
}

func topicResource(name string) metadata.Resource {
	return metadata.Resource{Type: metadata.TopicResource, Name: name}
}

func (s State) newConfigs(t NewTopic) (map[string]string, error) {
	configs := map[string]string{}
	var null []string
	for _, c := range t.Configs {
		if c.Value == nil {
			null = append(null, c.Key)
			continue
		}
		if len(*c.Value) > maxConfigValue {
			return nil, errConfigTooLarge
		}
		configs[c.Key] = *c.Value
	}
	if len(null) > 0 {
		return nil, explainf(kerr.InvalidConfig, "Null value not supported for topic configs: %s", strings.Join(null, ","))
	}
	if err := s.Rules.ValidateConfigs(topicResource(t.Name), configs); err != nil {
		return nil, invalidConfig(err)
	}
	return configs, nil
}

// assign finds the replicas of a new topic's partitions.
func (s State) assign(t NewTopic) ([]metadata.Partition, error) {
	switch {
	case len(t.Assignments) > 0:
		return s.assignByHand(t)
	case t.ReplicationFactor < -1 || t.ReplicationFactor == 0:
		return nil, explainf(kerr.InvalidReplicationFactor,
			"Replication factor must be larger than 0, or -1 to use the default value.")
	case t.Partitions < -1 || t.Partitions == 0:
		return nil, explainf(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	partitions, replicas := t.Partitions, t.ReplicationFactor
	if partitions == -1 {
		partitions = s.Rules.Partitions
	}
	if replicas == -1 {
		replicas = s.Rules.ReplicationFactor
		if s.Rules.FewerReplicas {
			replicas = int16(max(1, min(int(replicas), s.Image.BrokerCount())))
		}
	}
	placed, err := s.placeNew(int(partitions), int(replicas))
	if err != nil {
		return nil, explainf(kerr.InvalidReplicationFactor,
			"Unable to replicate the partition %d time(s): %s", replicas, model.ClientMessage(err))
	}
	return placed, nil
}

func (s State) placeNew(partitions, replicas int) ([]metadata.Partition, error) {
	p := s.newPlacer()
	if err := p.check(replicas); err != nil {
		return nil, err
	}
	placed := make([]metadata.Partition, partitions)
	for i := range placed {
		ids := p.place(replicas)
		placed[i] = s.newPartition(ids, s.activeOf(ids))
	}
	return placed, nil
}

func (s State) newPartition(replicas, isr []int32) metadata.Partition {
	return metadata.Partition{
		Leader: isr[0], Replicas: replicas, ISR: isr, Dirs: s.directories(replicas),
	}
}

func (s State) assignByHand(t NewTopic) ([]metadata.Partition, error) {
	if t.ReplicationFactor != -1 {
		return nil, explainf(kerr.InvalidRequest,
			"A manual partition assignment was specified, but replication factor was not set to -1.")
	}
	if t.Partitions != -1 {
		return nil, explainf(kerr.InvalidRequest,
			"A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	placed := make([]metadata.Partition, len(t.Assignments))
	seen := map[int32]bool{}
	for _, a := range t.Assignments {
		if seen[a.Partition] {
			return nil, explainf(kerr.InvalidReplicaAssignment,
				"Found multiple manual partition assignments for partition %d", a.Partition)
		}
		seen[a.Partition] = true
		p, err := s.placeByHand(a.Partition, a.Brokers, len(t.Assignments[0].Brokers))
		if err != nil {
			return nil, err
		}
		if a.Partition >= 0 && int(a.Partition) < len(placed) {
			placed[a.Partition] = p
		}
	}
	for i := range placed {
		if !seen[int32(i)] {
			return nil, explainf(kerr.InvalidReplicaAssignment,
				"partitions should be a consecutive 0-based integer sequence")
		}
	}
	return placed, nil
}

func (s State) placeByHand(number int32, brokers []int32, replicas int) (metadata.Partition, error) {
	if err := s.checkAssignment(brokers, replicas); err != nil {
		return metadata.Partition{}, err
	}
	isr := s.activeOf(brokers)
	if len(isr) == 0 {
		return metadata.Partition{}, explainf(kerr.InvalidReplicaAssignment, "All brokers specified in the "+
			"manual partition assignment for partition %d are fenced or in controlled shutdown.", number)
	}
	return s.newPartition(brokers, isr), nil
}

// checkAssignment says what is wrong with replicas that somebody chose; want is how
// many there should be, 0 for any number.
func (s State) checkAssignment(brokers []int32, want int) error {
	if len(brokers) == 0 {
		return explainf(kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	seen := map[int32]bool{}
	for _, id := range brokers {
		if _, ok := s.Image.Broker(id); !ok {
			return explainf(kerr.InvalidReplicaAssignment,
				"The manual partition assignment includes broker %d, but no such broker is registered.", id)
		}
		if seen[id] {
			return explainf(kerr.InvalidReplicaAssignment,
				"The manual partition assignment includes the broker %d more than once.", id)
		}
		seen[id] = true
	}
	if want > 0 && len(brokers) != want {
		return explainf(kerr.InvalidReplicaAssignment, "The manual partition assignment includes a partition with "+
			"%d replica(s), but this is not consistent with previous partitions, which have %d replica(s).", len(brokers), want)
	}
	return nil
}
