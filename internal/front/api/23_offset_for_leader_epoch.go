package api

import (
	"context"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetForLeaderEpoch, key 23, versions 2–4: where the records of an epoch end, by
// which a client finds out how far its history is the leader's (KIP-101, KIP-320).
//
//	3  replica id of who asks
//	4  flexible
func (s *Server) offsetForLeaderEpoch(_ context.Context, _ *Request, req *kmsg.OffsetForLeaderEpochRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			end, err := s.epochEnd(model.TopicPartition{Topic: t.Topic, Partition: p.Partition}, p.CurrentLeaderEpoch, p.LeaderEpoch)
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, model.ErrorCode(err)
			rp.LeaderEpoch, rp.EndOffset = end.Epoch, end.End
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

func (s *Server) epochEnd(tp model.TopicPartition, current, epoch int32) (partition.EpochEnd, error) {
	unknown := partition.EpochEnd{Epoch: model.NoEpoch, End: -1}
	replica, err := s.cfg.Host.Partition(tp)
	if err != nil {
		return unknown, err
	}
	end, err := replica.EpochEnd(current, epoch)
	if err != nil {
		return unknown, err
	}
	return end, nil
}
