package api

import (
	"context"
	"errors"
	"strconv"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// createOnDemand makes topics because a client named them. What comes of it the client
// learns when it asks again.
func (s *Server) createOnDemand(ctx context.Context, m *metadata.Image, names []string) {
	var topics []controller.NewTopic
	for _, name := range names {
		if model.ValidateTopicName(name) == nil && (!model.Internal(name) || name == model.ConsumerOffsetsTopic) {
			topics = append(topics, s.defaultTopic(m, name))
		}
	}
	if len(topics) == 0 {
		return
	}
	ctx, cancel := s.patience(ctx, 0)
	defer cancel()
	created, err := s.cfg.Controller.CreateTopics(ctx, topics, false)
	if err != nil {
		s.log.Warn("topics were not created on demand", "topics", len(topics), "err", err)
		return
	}
	for _, t := range created {
		if t.Err != nil && !errors.Is(t.Err, kerr.TopicAlreadyExists) {
			s.log.Info("topic was not created on demand", "topic", t.Name, "err", t.Err)
		}
	}
}

// defaultTopic is a topic as the broker's settings want it.
func (s *Server) defaultTopic(m *metadata.Image, name string) controller.NewTopic {
	if name == model.ConsumerOffsetsTopic {
		return s.offsetsTopic(m)
	}
	return controller.NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1}
}

// offsetsTopic is the topic of the group coordinators. Three replicas are its default:
// on a smaller cluster that never said how many it wants, as many as there are brokers,
// so that a first node works by itself.
func (s *Server) offsetsTopic(m *metadata.Image) controller.NewTopic {
	v := s.cfg.Settings()
	replicas := config.ReplicationFactor(config.OffsetsTopicReplicationFactor, v, alive(m))
	return controller.NewTopic{
		Name:              model.ConsumerOffsetsTopic,
		Partitions:        int32(config.OffsetsTopicNumPartitions.Get(v)),
		ReplicationFactor: int16(replicas),
		Configs: []controller.Config{
			{Key: "cleanup.policy", Value: kmsg.StringPtr("compact")},
			{Key: "compression.type", Value: kmsg.StringPtr("producer")},
			{Key: "segment.bytes", Value: kmsg.StringPtr(strconv.Itoa(config.OffsetsTopicSegmentBytes.Get(v)))},
		},
	}
}

func alive(m *metadata.Image) int {
	n := 0
	for b := range m.Brokers() {
		if !b.Fenced {
			n++
		}
	}
	return n
}
