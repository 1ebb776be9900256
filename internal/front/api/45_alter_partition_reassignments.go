package api

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartitionReassignments, key 45, versions 0 and 1 (1: whether the number of
// replicas may change, KIP-860). Null replicas cancel a reassignment.
func (s *Server) alterPartitionReassignments(ctx context.Context, r *Request, req *kmsg.AlterPartitionAssignmentsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrAlterPartitionAssignmentsResponse()
	ask := controller.Reassign{AllowReplicationChange: r.Version < 1 || req.AllowReplicationFactorChange}
	resp.AllowReplicationFactorChange = ask.AllowReplicationChange
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			ask.Partitions = append(ask.Partitions, controller.Reassignment{
				TopicPartition: model.TopicPartition{Topic: t.Topic, Partition: p.Partition}, Replicas: p.Replicas})
		}
	}
	ctx, cancel := s.patience(ctx, req.TimeoutMillis)
	defer cancel()
	results, err := s.cfg.Controller.AlterPartitionReassignments(ctx, ask)
	if err != nil {
		return nil, err
	}
	for _, group := range byTopic(results) {
		t := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		t.Topic = group[0].Topic
		for _, res := range group {
			p := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			p.Partition, p.ErrorCode, p.ErrorMessage = res.Partition, model.ErrorCode(res.Err), model.ErrorMessage(res.Err)
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp, nil
}

func failAlterPartitionReassignments(req *kmsg.AlterPartitionAssignmentsRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrAlterPartitionAssignmentsResponse()
	resp.AllowReplicationFactorChange = req.AllowReplicationFactorChange
	resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
	return resp
}
