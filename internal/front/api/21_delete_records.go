package api

import (
	"context"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteRecords, key 21, versions 0–2 (KIP-107): moves the log start of partitions up
// to an offset, or to the high watermark where it says -1. The new start is durable
// when the answer comes.
//
//	2  flexible
func (s *Server) deleteRecords(_ context.Context, _ *Request, req *kmsg.DeleteRecordsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDeleteRecordsResponse()
	for _, t := range req.Topics {
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			low, err := s.deleteBefore(model.TopicPartition{Topic: t.Topic, Partition: p.Partition}, p.Offset)
			rp := kmsg.NewDeleteRecordsResponseTopicPartition()
			rp.Partition, rp.LowWatermark, rp.ErrorCode = p.Partition, low, model.ErrorCode(err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

func (s *Server) deleteBefore(tp model.TopicPartition, before int64) (low int64, err error) {
	if model.Internal(tp.Topic) {
		return -1, kerr.InvalidTopicException
	}
	replica, err := s.cfg.Host.Partition(tp)
	if err != nil {
		return -1, err
	}
	if low, err = s.cfg.Host.DeleteRecords(replica, before); err != nil {
		return -1, err
	}
	return low, nil
}
