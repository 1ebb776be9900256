package api

import (
	"context"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterReplicaLogDirs, key 34, versions 1 and 2 (KIP-113; 2: flexible): replicas of this
// broker move to other log folders. The answer comes when the moves have begun;
// DescribeLogDirs tells how far they are. A replica that is not here yet is answered
// REPLICA_NOT_AVAILABLE, and comes to its folder when it comes.
func (s *Server) alterReplicaLogDirs(_ context.Context, _ *Request, req *kmsg.AlterReplicaLogDirsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrAlterReplicaLogDirsResponse()
	place := make(map[string]int)
	for _, d := range req.Dirs {
		for _, t := range d.Topics {
			i, known := place[t.Topic]
			if !known {
				i = len(resp.Topics)
				place[t.Topic] = i
				resp.Topics = append(resp.Topics, kmsg.AlterReplicaLogDirsResponseTopic{Topic: t.Topic})
			}
			for _, p := range t.Partitions {
				err := s.cfg.Host.MoveReplica(model.TopicPartition{Topic: t.Topic, Partition: p}, d.Dir)
				resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, kmsg.AlterReplicaLogDirsResponseTopicPartition{
					Partition: p, ErrorCode: model.ErrorCode(err)})
			}
		}
	}
	return resp, nil
}
