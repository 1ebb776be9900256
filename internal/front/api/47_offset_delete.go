package api

import (
	"context"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetDelete, key 47, version 0 (KIP-496), never flexible. As with OffsetCommit, what
// does not exist is refused here.
func (s *Server) offsetDelete(ctx context.Context, r *Request, req *kmsg.OffsetDeleteRequest) (kmsg.Response, error) {
	codes := make(map[model.TopicPartition]int16)
	ask := *req
	ask.Topics = nil
	for _, t := range req.Topics {
		known := t
		known.Partitions = nil
		for _, p := range t.Partitions {
			if _, _, ok := r.Image.Partition(t.Topic, p.Partition); ok {
				known.Partitions = append(known.Partitions, p)
				continue
			}
			codes[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = kerr.UnknownTopicOrPartition.Code
		}
		if len(known.Partitions) > 0 {
			ask.Topics = append(ask.Topics, known)
		}
	}
	// The group is checked even if no topic is left.
	resp := s.cfg.Groups.OffsetDelete(ctx, r.caller(), &ask)
	if resp.ErrorCode != 0 {
		return resp, nil
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			codes[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = p.ErrorCode
		}
	}
	resp.Topics = offsetsDeleted(req, codes)
	return resp, nil
}

// offsetsDeleted answers each partition in the order of the request.
func offsetsDeleted(req *kmsg.OffsetDeleteRequest, codes map[model.TopicPartition]int16) []kmsg.OffsetDeleteResponseTopic {
	var topics []kmsg.OffsetDeleteResponseTopic
	for _, t := range req.Topics {
		rt := kmsg.OffsetDeleteResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			code, ok := codes[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}]
			if !ok {
				code = kerr.UnknownServerError.Code
			}
			rt.Partitions = append(rt.Partitions,
				kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
		}
		topics = append(topics, rt)
	}
	return topics
}
