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
		if model.ValidateTopicName(name) == nil && (!model.Internal(name) || s.keptTopic(m, name) != nil) {
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

// defaultTopic is a topic as the settings want it: those of the controller, but of a
// coordinator's topic this broker's.
func (s *Server) defaultTopic(m *metadata.Image, name string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
	if k := s.keptTopic(m, name); k != nil {
		t.NumPartitions, t.ReplicationFactor = k.partitions, k.replicas
		for _, c := range k.configs {
			t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: c[0], Value: &c[1]})
		}
	}
	return t
}

// keptTopic is how a coordinator keeps its state. Three replicas are the default: on a
// smaller cluster that never said how many it wants, as many as there are brokers, so that
// a first node works by itself. Brokers that are away count: they will be back, and the
// topic stays as it was made.
type keptTopic struct {
	partitions int32
	replicas   int16
	configs    [][2]string
}

// keptTopic returns nil if name is not such a topic.
func (s *Server) keptTopic(m *metadata.Image, name string) *keptTopic {
	v := s.cfg.Settings()
	replicas := func(k config.Key[int]) int16 { return int16(config.ReplicationFactor(k, v, m.BrokerCount())) }
	switch name {
	case model.ConsumerOffsetsTopic:
		return &keptTopic{
			partitions: int32(config.OffsetsTopicNumPartitions.Get(v)),
			replicas:   replicas(config.OffsetsTopicReplicationFactor),
			configs: [][2]string{
				{"cleanup.policy", "compact"},
				{"compression.type", "producer"},
				segmentBytes(config.OffsetsTopicSegmentBytes.Get(v)),
			},
		}
	case model.TransactionStateTopic:
		k := &keptTopic{
			partitions: int32(config.TransactionStateLogNumPartitions.Get(v)),
			replicas:   replicas(config.TransactionStateLogReplicationFactor),
		}
		k.configs = [][2]string{
			{"cleanup.policy", "compact"},
			{"compression.type", "uncompressed"},
			{"min.insync.replicas", strconv.Itoa(min(config.TransactionStateLogMinISR.Get(v), int(k.replicas)))},
			segmentBytes(config.TransactionStateLogSegmentBytes.Get(v)),
			{"unclean.leader.election.enable", "false"},
		}
		return k
	case model.ShareGroupStateTopic:
		k := &keptTopic{
			partitions: int32(config.ShareCoordinatorStateTopicNumPartitions.Get(v)),
			replicas:   replicas(config.ShareCoordinatorStateTopicReplicationFactor),
		}
		k.configs = [][2]string{
			{"cleanup.policy", "delete"}, // of what no state rests on, by its coordinator
			{"compression.type", "producer"},
			{"min.insync.replicas", strconv.Itoa(min(config.ShareCoordinatorStateTopicMinISR.Get(v), int(k.replicas)))},
			{"retention.bytes", "-1"},
			{"retention.ms", "-1"},
			segmentBytes(config.ShareCoordinatorStateTopicSegmentBytes.Get(v)),
		}
		return k
	}
	return nil
}

// segmentBytes is the setting that gives a topic's segments so many bytes: fewer than a user
// may ask for are a broker's own choice, and that of tests.
func segmentBytes(n int) [2]string {
	key := "segment.bytes"
	if n < 1<<20 {
		key = "internal." + key
	}
	return [2]string{key, strconv.Itoa(n)}
}
