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

// DescribeTopicPartitions, key 75, version 0 (KIP-966): topics in the order of their
// names, a page at a time, with the eligible leader replicas. Where an answer ends
// early, its cursor says where the next begins.
func (s *Server) describeTopicPartitions(_ context.Context, r *Request, req *kmsg.DescribeTopicPartitionsRequest) (kmsg.Response, error) {
	limit := config.MaxRequestPartitionSizeLimit.Get(s.cfg.Settings())
	names, err := describedTopics(r.Image, req, limit)
	if err != nil {
		return describeTopicPartitionsError(req, err), nil
	}
	resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
	left := max(min(req.ResponsePartitionLimit, int32(limit)), 1)
	for i, name := range names {
		if left == 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name}
			break
		}
		start := int32(0)
		if i == 0 && req.Cursor != nil && req.Cursor.Topic == name {
			start = req.Cursor.Partition
		}
		t, ok := r.Image.Topic(name)
		if !ok {
			resp.Topics = append(resp.Topics, describedError(name, nameError(name), topicOperations))
			continue
		}
		page, next := describePage(r, t, start, left)
		resp.Topics = append(resp.Topics, page)
		left -= int32(len(page.Partitions))
		if next >= 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: next}
			break
		}
	}
	return resp, nil
}

// describedTopics are the names to describe from the cursor on, sorted, each once;
// every topic of the cluster if none is named.
func describedTopics(m *metadata.Image, req *kmsg.DescribeTopicPartitionsRequest, limit int) ([]string, error) {
	from := ""
	if c := req.Cursor; c != nil {
		if c.Partition < 0 {
			return nil, kerr.InvalidRequest
		}
		from = c.Topic
	}
	var names []string
	if len(req.Topics) == 0 {
		for t := range m.TopicsFrom(from) {
			if names = append(names, t.Name); len(names) > limit {
				break // each has a partition at least: no answer reaches further
			}
		}
		return names, nil
	}
	for _, t := range req.Topics {
		if t.Topic >= from {
			names = append(names, t.Topic)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if req.Cursor != nil && !slices.Contains(names, from) {
		return nil, kerr.InvalidRequest // the cursor must lie in what is asked
	}
	return names, nil
}

// describePage describes at most limit partitions from start on, and says where the
// next page begins, -1 if it is the last.
func describePage(r *Request, t *metadata.Topic, start, limit int32) (kmsg.DescribeTopicPartitionsResponseTopic, int32) {
	resp := describedError(t.Name, nil, topicOperations)
	resp.TopicID = t.ID
	count := int32(len(t.Partitions))
	end := int32(min(int64(count), int64(start)+int64(limit)))
	for i := start; i < end; i++ {
		resp.Partitions = append(resp.Partitions, describedPartition(r, i, t.Partitions[i]))
	}
	if end < count {
		return resp, end
	}
	return resp, -1
}

func describedPartition(r *Request, number int32, p *metadata.Partition) kmsg.DescribeTopicPartitionsResponseTopicPartition {
	resp := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
	resp.Partition, resp.LeaderEpoch = number, p.LeaderEpoch
	resp.LeaderID, _ = leaderNode(r.Image, r.Listener, p.Leader)
	resp.Replicas, resp.ISR, resp.OfflineReplicas = p.Replicas, p.ISR, offline(r, p)
	// Null would mean that nobody counts them.
	resp.EligibleLeaderReplicas = append([]int32{}, p.ELR...)
	resp.LastKnownELR = append([]int32{}, p.LastKnownELR...)
	return resp
}

func describedError(name string, err error, operations int32) kmsg.DescribeTopicPartitionsResponseTopic {
	t := kmsg.NewDescribeTopicPartitionsResponseTopic()
	t.ErrorCode, t.Topic, t.IsInternal = model.ErrorCode(err), &name, model.Internal(name)
	t.AuthorizedOperations = operations
	return t
}

func describeTopicPartitionsError(req *kmsg.DescribeTopicPartitionsRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
	for _, q := range req.Topics {
		t := kmsg.NewDescribeTopicPartitionsResponseTopic()
		t.ErrorCode, t.Topic = model.ErrorCode(err), &q.Topic
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}
