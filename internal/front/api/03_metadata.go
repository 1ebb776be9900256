package api

import (
	"context"
	"slices"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Metadata, key 3, versions 0 to 13.
//
//	1   racks, the controller, internal topics; null asks for all topics, none for none
//	2   cluster id
//	4   whether topics may be created by being named
//	5   offline replicas
//	6   LISTENER_NOT_FOUND where it was LEADER_NOT_AVAILABLE
//	7   leader epochs (KIP-320)
//	8   authorized operations (KIP-430); those of the cluster until 10
//	9   flexible
//	10  topic ids in answers, 12 in questions (KIP-516)
//	13  an error of the whole request (KIP-1102)
func (s *Server) metadata(ctx context.Context, r *Request, req *kmsg.MetadataRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrMetadataResponse()
	if r.Version < 12 && slices.ContainsFunc(req.Topics, namedByID) {
		return metadataError(req, kerr.InvalidRequest), nil
	}
	resp.ClusterID = kmsg.StringPtr(r.Image.ClusterID)
	resp.ControllerID = s.anyBroker(r.Image)
	for n := range nodes(r.Image, r.Listener, false) {
		resp.Brokers = append(resp.Brokers,
			kmsg.MetadataResponseBroker{NodeID: n.id, Host: n.host, Port: n.port, Rack: n.rack})
	}
	if r.Version >= 8 && r.Version <= 10 && req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = clusterOperations
	}
	resp.Topics = s.metadataTopics(ctx, r, req)
	return resp, nil
}

func (s *Server) metadataTopics(ctx context.Context, r *Request, req *kmsg.MetadataRequest) []kmsg.MetadataResponseTopic {
	if req.Topics == nil || r.Version == 0 && len(req.Topics) == 0 {
		return allTopics(r, req.IncludeTopicAuthorizedOperations)
	}
	var unknown, known []kmsg.MetadataResponseTopic
	names, ids := questions(req.Topics)
	for _, id := range ids {
		if t, ok := r.Image.TopicByID(id); ok {
			known = append(known, describeTopic(r, t, req.IncludeTopicAuthorizedOperations))
			continue
		}
		unknown = append(unknown, topicError(nil, id, kerr.UnknownTopicID))
	}
	if len(ids) > 0 {
		return append(unknown, known...) // names beside ids are not looked at
	}
	var missing []string
	for _, name := range names {
		if t, ok := r.Image.Topic(name); ok {
			known = append(known, describeTopic(r, t, req.IncludeTopicAuthorizedOperations))
			continue
		}
		missing = append(missing, name)
	}
	// Clients before version 4 cannot say that they want none created.
	if (req.AllowAutoTopicCreation || r.Version < 4) && config.AutoCreateTopicsEnable.Get(s.cfg.Settings()) {
		s.createOnDemand(ctx, r.Image, missing)
	}
	for _, name := range missing {
		t := topicError(&name, model.ID{}, nameError(name))
		if r.Version >= 8 && req.IncludeTopicAuthorizedOperations {
			t.AuthorizedOperations = topicOperations
		}
		known = append(known, t)
	}
	return known
}

func namedByID(t kmsg.MetadataRequestTopic) bool { return t.Topic == nil || t.TopicID != model.ID{} }

// questions are the names and the ids that are asked for, each once, in order.
func questions(topics []kmsg.MetadataRequestTopic) (names []string, ids []model.ID) {
	seenName, seenID := make(map[string]bool), make(map[model.ID]bool)
	for _, t := range topics {
		if id := model.ID(t.TopicID); !id.IsZero() && !seenID[id] {
			seenID[id] = true
			ids = append(ids, id)
		}
		if t.Topic != nil && !seenName[*t.Topic] {
			seenName[*t.Topic] = true
			names = append(names, *t.Topic)
		}
	}
	return names, ids
}

// nameError is what a client is told of a topic that is not there. One that is just
// being created is not there yet either: the client asks again.
func nameError(name string) error {
	if model.ValidateTopicName(name) != nil {
		return kerr.InvalidTopicException
	}
	return kerr.UnknownTopicOrPartition
}

func topicError(name *string, id model.ID, err error) kmsg.MetadataResponseTopic {
	t := kmsg.NewMetadataResponseTopic()
	t.ErrorCode, t.Topic, t.TopicID = model.ErrorCode(err), name, id
	t.IsInternal = name != nil && model.Internal(*name)
	return t
}

// metadataError is an answer that says err of the request and of each topic in it.
func metadataError(req *kmsg.MetadataRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrMetadataResponse()
	resp.ErrorCode = model.ErrorCode(err)
	for _, t := range req.Topics {
		name := ""
		if t.Topic != nil {
			name = *t.Topic
		}
		resp.Topics = append(resp.Topics, topicError(&name, t.TopicID, err))
	}
	return resp
}

func allTopics(r *Request, operations bool) []kmsg.MetadataResponseTopic {
	topics := make([]kmsg.MetadataResponseTopic, 0, r.Image.TopicCount())
	for t := range r.Image.Topics() {
		topics = append(topics, describeTopic(r, t, operations))
	}
	return topics
}

func describeTopic(r *Request, t *metadata.Topic, operations bool) kmsg.MetadataResponseTopic {
	resp := topicError(&t.Name, t.ID, nil)
	if operations && r.Version >= 8 {
		resp.AuthorizedOperations = topicOperations
	}
	resp.Partitions = make([]kmsg.MetadataResponseTopicPartition, len(t.Partitions))
	for i, p := range t.Partitions {
		resp.Partitions[i] = describePartition(r, int32(i), p)
	}
	return resp
}

func describePartition(r *Request, number int32, p *metadata.Partition) kmsg.MetadataResponseTopicPartition {
	resp := kmsg.NewMetadataResponseTopicPartition()
	resp.Partition, resp.LeaderEpoch = number, p.LeaderEpoch
	resp.Replicas, resp.ISR = p.Replicas, p.ISR
	if r.Version == 0 { // later versions name brokers that are away, and do not complain
		resp.Replicas, resp.ISR = present(r, p.Replicas), present(r, p.ISR)
	}
	resp.OfflineReplicas = offline(r, p)
	leader, err := leaderNode(r.Image, r.Listener, p.Leader)
	resp.Leader = leader
	switch {
	case err == kerr.ListenerNotFound && r.Version < 6:
		err = kerr.LeaderNotAvailable
	case err == nil && (len(resp.Replicas) < len(p.Replicas) || len(resp.ISR) < len(p.ISR)):
		err = kerr.ReplicaNotAvailable
	}
	resp.ErrorCode = model.ErrorCode(err)
	return resp
}
