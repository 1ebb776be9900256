package api

import (
	"context"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetCommit, key 8, versions 2 to 10.
//
//	5   retention time is gone
//	6   leader epochs (KIP-320)
//	7   static members (KIP-345)
//	8   flexible
//	9   the new consumer protocol (KIP-848)
//	10  topic ids in place of names (KIP-848)
//
// The coordinator knows groups and not topics: what does not exist is refused here.
func (s *Server) offsetCommit(ctx context.Context, r *Request, req *kmsg.OffsetCommitRequest) (kmsg.Response, error) {
	codes := make(map[model.TopicPartition]int16)
	ask := *req
	ask.Topics = nil
	for i := range req.Topics {
		t := &req.Topics[i]
		if r.Version >= 10 {
			t.Topic = r.topicName(t.TopicID)
		}
		if known := knownOffsets(r, t, codes); len(known.Partitions) > 0 {
			ask.Topics = append(ask.Topics, known)
		}
	}
	if len(ask.Topics) > 0 {
		for _, t := range s.cfg.Groups.OffsetCommit(ctx, r.caller(), &ask).Topics {
			for _, p := range t.Partitions {
				codes[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = p.ErrorCode
			}
		}
	}
	return offsetCommitted(req, codes), nil
}

// topicName is the name of a topic by its id, "" if there is none.
func (r *Request) topicName(id model.ID) string {
	if t, ok := r.Image.TopicByID(id); ok {
		return t.Name
	}
	return ""
}

// knownOffsets is what of t exists; of the rest it notes why not.
func knownOffsets(r *Request, t *kmsg.OffsetCommitRequestTopic, codes map[model.TopicPartition]int16) kmsg.OffsetCommitRequestTopic {
	known := *t
	known.Partitions = nil
	for _, p := range t.Partitions {
		if _, _, ok := r.Image.Partition(t.Topic, p.Partition); ok {
			known.Partitions = append(known.Partitions, p)
			continue
		}
		codes[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = kerr.UnknownTopicOrPartition.Code
	}
	return known
}

// offsetCommitted answers each partition in the order of the request.
func offsetCommitted(req *kmsg.OffsetCommitRequest, codes map[model.TopicPartition]int16) kmsg.Response {
	resp := kmsg.NewPtrOffsetCommitResponse()
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetCommitResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, kerr.UnknownServerError.Code
			if code, ok := codes[model.TopicPartition{Topic: t.Topic, Partition: p.Partition}]; ok {
				rp.ErrorCode = code
			}
			if req.Version >= 10 && t.Topic == "" {
				rp.ErrorCode = kerr.UnknownTopicID.Code
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
