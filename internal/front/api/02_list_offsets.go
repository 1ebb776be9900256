package api

import (
	"context"
	"errors"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListOffsets, key 2, versions 1–11: offsets by what they mean, or by time.
//
//	1  one offset, by timestamp (KIP-79)        8  earliest local (KIP-405)
//	2  isolation level                          9  latest tiered (KIP-1005)
//	4  leader epoch (KIP-320)                   10 time to wait for remote storage
//	6  flexible                                 11 earliest that waits for upload
//	7  greatest timestamp (KIP-734)                (KIP-1023)
func (s *Server) listOffsets(_ context.Context, r *Request, req *kmsg.ListOffsetsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrListOffsetsResponse()
	twice := repeatedPartitions(req)
	for _, t := range req.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			tp := model.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			if twice[tp] {
				rt.Partitions = append(rt.Partitions, listed(p.Partition, partition.Nowhere, kerr.InvalidRequest))
				continue
			}
			found, err := s.listOffset(r.Version, req, tp, p)
			if r.Version < 5 && errors.Is(err, kerr.OffsetNotAvailable) {
				err = kerr.LeaderNotAvailable // what old clients know
			}
			rt.Partitions = append(rt.Partitions, listed(p.Partition, found, err))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

// oldestWith is the first version in which a special timestamp means something.
var oldestWith = map[int64]int16{
	model.OffsetMaxTimestamp:    7,
	model.OffsetEarliestLocal:   8,
	model.OffsetLatestTiered:    9,
	model.OffsetEarliestPending: 11,
}

func (s *Server) listOffset(version int16, req *kmsg.ListOffsetsRequest, tp model.TopicPartition, p kmsg.ListOffsetsRequestTopicPartition) (partition.Found, error) {
	if version < oldestWith[p.Timestamp] || p.Timestamp < model.OffsetEarliestPending {
		return partition.Nowhere, kerr.UnsupportedVersion
	}
	replica, err := s.cfg.Host.Partition(tp)
	if err != nil {
		return partition.Nowhere, err
	}
	found, err := replica.ListOffset(p.Timestamp, p.CurrentLeaderEpoch, req.ReplicaID < 0 && req.IsolationLevel == readCommitted)
	if req.ReplicaID < 0 || p.Timestamp != model.OffsetLatest || err != nil && !errors.Is(err, kerr.OffsetNotAvailable) {
		return found, err
	}
	// To a follower the end is the end, committed or not.
	marks, err := replica.Offsets()
	return partition.Found{Offset: marks.End, Timestamp: -1, Epoch: replica.Role().Epoch}, err
}

// repeatedPartitions are those that the request names more than once.
func repeatedPartitions(req *kmsg.ListOffsetsRequest) map[model.TopicPartition]bool {
	seen := make(map[model.TopicPartition]bool)
	twice := make(map[model.TopicPartition]bool)
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			tp := model.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			if seen[tp] {
				twice[tp] = true
			}
			seen[tp] = true
		}
	}
	return twice
}

func listed(number int32, f partition.Found, err error) kmsg.ListOffsetsResponseTopicPartition {
	p := kmsg.NewListOffsetsResponseTopicPartition()
	p.Partition, p.ErrorCode = number, model.ErrorCode(err)
	if err != nil {
		f = partition.Nowhere
	}
	p.Offset, p.Timestamp, p.LeaderEpoch = f.Offset, f.Timestamp, f.Epoch
	return p
}
