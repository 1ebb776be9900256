package api

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListPartitionReassignments, key 46, version 0 (KIP-455). Null asks for all.
func (s *Server) listPartitionReassignments(ctx context.Context, _ *Request, req *kmsg.ListPartitionReassignmentsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrListPartitionReassignmentsResponse()
	var asked []controller.TopicPartitions
	if req.Topics != nil {
		asked = make([]controller.TopicPartitions, len(req.Topics))
	}
	for i, t := range req.Topics {
		asked[i] = controller.TopicPartitions{Topic: t.Topic, Partitions: t.Partitions}
	}
	ctx, cancel := s.patience(ctx, req.TimeoutMillis)
	defer cancel()
	moving, err := s.cfg.Controller.ListPartitionReassignments(ctx, asked)
	if err != nil {
		return nil, err
	}
	place := make(map[string]int)
	for _, m := range moving {
		i, ok := place[m.Topic]
		if !ok {
			i = len(resp.Topics)
			place[m.Topic] = i
			resp.Topics = append(resp.Topics, kmsg.ListPartitionReassignmentsResponseTopic{Topic: m.Topic})
		}
		resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, kmsg.ListPartitionReassignmentsResponseTopicPartition{
			Partition: m.Partition, Replicas: m.Replicas, AddingReplicas: m.Adding, RemovingReplicas: m.Removing})
	}
	return resp, nil
}

func failListPartitionReassignments(_ *kmsg.ListPartitionReassignmentsRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrListPartitionReassignmentsResponse()
	resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
	return resp
}
