package api

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopics, key 19, versions 2 to 7.
//
//	4  -1 asks for the default of partitions and replicas (KIP-464)
//	5  flexible; the answer tells what was made (KIP-525)
//	6  THROTTLING_QUOTA_EXCEEDED (KIP-599)
//	7  topic ids (KIP-516)
func (s *Server) createTopics(ctx context.Context, r *Request, req *kmsg.CreateTopicsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrCreateTopicsResponse()
	var topics []controller.NewTopic
	var refused []kmsg.CreateTopicsResponseTopic
	count := counts(req.Topics, func(t kmsg.CreateTopicsRequestTopic) string { return t.Topic })
	for _, t := range req.Topics {
		switch {
		case count[t.Topic] > 1:
			count[t.Topic] = 0 // the first says it for all
			refused = append(refused, createError(t.Topic, errDuplicateTopic))
		case count[t.Topic] == 0:
		case t.Topic == model.ClusterMetadataTopic:
			refused = append(refused, createError(t.Topic, errMetadataTopic))
		default:
			topics = append(topics, newTopic(t))
		}
	}
	if len(topics) > 0 {
		ctx, cancel := s.patience(ctx, req.TimeoutMillis)
		defer cancel()
		created, err := s.cfg.Controller.CreateTopics(ctx, topics, req.ValidateOnly)
		if err != nil {
			return nil, err
		}
		resp.Topics = s.createResults(r.Image, created)
	}
	resp.Topics = append(resp.Topics, refused...)
	return resp, nil
}

var (
	errDuplicateTopic = model.Explain(kerr.InvalidRequest, "Duplicate topic name.")
	errMetadataTopic  = model.Explain(kerr.InvalidRequest,
		"Creation of internal topic "+model.ClusterMetadataTopic+" is prohibited.")
)

func newTopic(t kmsg.CreateTopicsRequestTopic) controller.NewTopic {
	n := controller.NewTopic{Name: t.Topic, Partitions: t.NumPartitions, ReplicationFactor: t.ReplicationFactor}
	for _, a := range t.ReplicaAssignment {
		n.Assignments = append(n.Assignments, controller.Assignment{Partition: a.Partition, Brokers: a.Replicas})
	}
	for _, c := range t.Configs {
		n.Configs = append(n.Configs, controller.Config{Key: c.Name, Value: c.Value})
	}
	return n
}

// failCreateTopics says err of each topic, once.
func failCreateTopics(req *kmsg.CreateTopicsRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrCreateTopicsResponse()
	told := make(map[string]bool)
	for _, t := range req.Topics {
		if !told[t.Topic] {
			told[t.Topic] = true
			resp.Topics = append(resp.Topics, createError(t.Topic, err))
		}
	}
	return resp
}

func (s *Server) createResults(m *metadata.Image, created []controller.CreatedTopic) []kmsg.CreateTopicsResponseTopic {
	var results []kmsg.CreateTopicsResponseTopic
	for _, t := range created {
		r := createError(t.Name, t.Err)
		if t.Err == nil {
			r.TopicID, r.NumPartitions, r.ReplicationFactor = t.ID, t.Partitions, t.ReplicationFactor
			r.Configs = s.createdConfigs(m, t)
		}
		results = append(results, r)
	}
	return results
}

// createdConfigs are all the configs of a topic that was made, whoever set them.
func (s *Server) createdConfigs(m *metadata.Image, t controller.CreatedTopic) []kmsg.CreateTopicsResponseTopicConfig {
	list := []kmsg.CreateTopicsResponseTopicConfig{}
	for _, e := range s.node(m).DescribeTopic(t.Configs) {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.ReadOnly, c.IsSensitive = e.Name, e.Value, e.ReadOnly, e.Sensitive
		c.Source = int8(e.Source)
		list = append(list, c)
	}
	return list
}

func createError(topic string, err error) kmsg.CreateTopicsResponseTopic {
	t := kmsg.NewCreateTopicsResponseTopic()
	t.Topic, t.ErrorCode, t.ErrorMessage = topic, model.ErrorCode(err), model.ErrorMessage(err)
	t.NumPartitions, t.ReplicationFactor = -1, -1
	t.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
	return t
}

// counts is how often each key occurs.
func counts[T any, K comparable](items []T, key func(T) K) map[K]int {
	n := make(map[K]int, len(items))
	for _, it := range items {
		n[key(it)]++
	}
	return n
}
