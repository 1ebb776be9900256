package api

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AssignReplicasToDirs, key 73, version 0 (KIP-858): a broker says in which of its log
// folders its replicas are.
func (s *Server) assignReplicasToDirs(ctx context.Context, _ *Request, req *kmsg.AssignReplicasToDirsRequest) (kmsg.Response, error) {
	ctx, cancel := s.patience(ctx, 0)
	defer cancel()
	ask := controller.AssignDirs{Broker: req.BrokerID, BrokerEpoch: req.BrokerEpoch}
	for _, d := range req.Directories {
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				ask.Replicas = append(ask.Replicas, controller.DirReplica{Dir: d.ID, Topic: t.TopicID, Partition: p.Partition})
			}
		}
	}
	results, err := s.cfg.Controller.AssignReplicasToDirs(ctx, ask)
	if err != nil {
		return nil, err
	}
	resp := kmsg.NewPtrAssignReplicasToDirsResponse()
	for _, d := range req.Directories {
		dir := kmsg.NewAssignReplicasToDirsResponseDirectory()
		dir.ID = d.ID
		for _, t := range d.Topics {
			topic := kmsg.NewAssignReplicasToDirsResponseDirectoryTopic()
			topic.TopicID = t.TopicID
			for range t.Partitions {
				p := kmsg.NewAssignReplicasToDirsResponseDirectoryTopicPartition()
				p.Partition, p.ErrorCode = results[0].Partition, model.ErrorCode(results[0].Err)
				topic.Partitions = append(topic.Partitions, p)
				results = results[1:]
			}
			dir.Topics = append(dir.Topics, topic)
		}
		resp.Directories = append(resp.Directories, dir)
	}
	return resp, nil
}

func failAssignReplicasToDirs(_ *kmsg.AssignReplicasToDirsRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrAssignReplicasToDirsResponse()
	resp.ErrorCode = model.ErrorCode(err)
	return resp
}
