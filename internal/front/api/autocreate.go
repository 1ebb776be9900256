package api

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// createOnDemand makes topics because a client named them. What comes of it the client
// learns when it asks again.
func (s *Server) createOnDemand(ctx context.Context, m *metadata.Image, names []string) {
	req := kmsg.NewPtrCreateTopicsRequest()
	for _, name := range names {
		if model.ValidateTopicName(name) == nil && (!model.Internal(name) || name == model.ConsumerOffsetsTopic) {
			req.Topics = append(req.Topics, s.defaultTopic(m, name))
		}
	}
	if len(req.Topics) == 0 {
		return
	}
	req.TimeoutMillis = int32(s.cfg.ControlTimeout.Milliseconds())
	ctx, cancel := context.WithTimeout(ctx, min(createPatience, s.cfg.ControlTimeout))
	defer cancel()
	resp, err := s.ask(ctx, req)
	if err != nil {
		s.log.Warn("topics were not created on demand", "topics", len(req.Topics), "err", err)
		return
	}
	for _, t := range resp.(*kmsg.CreateTopicsResponse).Topics {
		if err := told(t.ErrorCode, t.ErrorMessage); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			s.log.Info("topic was not created on demand", "topic", t.Topic, "err", err)
		}
	}
}

// createPatience is how long a client waits for a topic that it only named. It asks again
// anyhow, and its other requests wait behind this one.
const createPatience = 5 * time.Second

// defaultTopic is a topic as the settings want it: those of the controller, but of the
// offsets topic this broker's.
func (s *Server) defaultTopic(m *metadata.Image, name string) kmsg.CreateTopicsRequestTopic {
	if name == model.ConsumerOffsetsTopic {
		return s.offsetsTopic(m)
	}
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
	return t
}

// offsetsTopic is the topic of the group coordinators. Three replicas are its default:
// on a smaller cluster that never said how many it wants, as many as there are brokers,
// so that a first node works by itself. Brokers that are away count: they will be back,
// and the topic stays as it was made.
func (s *Server) offsetsTopic(m *metadata.Image) kmsg.CreateTopicsRequestTopic {
	v := s.cfg.Settings()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic = model.ConsumerOffsetsTopic
	t.NumPartitions = int32(config.OffsetsTopicNumPartitions.Get(v))
	t.ReplicationFactor = int16(config.ReplicationFactor(config.OffsetsTopicReplicationFactor, v, m.BrokerCount()))
	for _, c := range [][2]string{
		{"cleanup.policy", "compact"},
		{"compression.type", "producer"},
		{"segment.bytes", strconv.Itoa(config.OffsetsTopicSegmentBytes.Get(v))},
	} {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: c[0], Value: &c[1]})
	}
	return t
}
