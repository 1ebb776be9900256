package api

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartition, key 56, versions 2 and 3 (2: topics by id, KIP-841; 3: epochs of the
// brokers in the ISR, KIP-903): a leader asks for other in-sync replicas.
func (s *Server) alterPartition(ctx context.Context, r *Request, req *kmsg.AlterPartitionRequest) (kmsg.Response, error) {
	ctx, cancel := s.patience(ctx, 0)
	defer cancel()
	ask := controller.AlterPartition{Broker: req.BrokerID, BrokerEpoch: req.BrokerEpoch}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			ask.Partitions = append(ask.Partitions, isrChange(r.Version, t.TopicID, p))
		}
	}
	results, err := s.cfg.Controller.AlterPartition(ctx, ask)
	if err != nil {
		return nil, err
	}
	resp := kmsg.NewPtrAlterPartitionResponse()
	for _, t := range req.Topics {
		answer := kmsg.NewAlterPartitionResponseTopic()
		answer.TopidID = t.TopicID
		for range t.Partitions {
			answer.Partitions = append(answer.Partitions, isrResult(results[0]))
			results = results[1:]
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

func isrChange(version int16, topic model.ID, p kmsg.AlterPartitionRequestTopicPartition) controller.ISRChange {
	c := controller.ISRChange{
		Topic: topic, Partition: p.Partition, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
		Recovery: metadata.Recovery(p.LeaderRecoveryState),
	}
	for _, b := range p.NewEpochISR {
		c.ISR = append(c.ISR, controller.BrokerEpoch{ID: b.BrokerID, Epoch: b.BrokerEpoch})
	}
	if version < 3 {
		for _, id := range p.NewISR {
			c.ISR = append(c.ISR, controller.BrokerEpoch{ID: id, Epoch: -1})
		}
	}
	return c
}

func isrResult(r controller.ISRResult) kmsg.AlterPartitionResponseTopicPartition {
	p := kmsg.NewAlterPartitionResponseTopicPartition()
	p.Partition, p.ErrorCode = r.Partition, model.ErrorCode(r.Err)
	if r.Err == nil {
		p.LeaderID, p.LeaderEpoch, p.PartitionEpoch = r.State.Leader, r.State.LeaderEpoch, r.State.PartitionEpoch
		p.ISR, p.LeaderRecoveryState = r.State.ISR, int8(r.State.Recovery)
	}
	return p
}

func failAlterPartition(_ *kmsg.AlterPartitionRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrAlterPartitionResponse()
	resp.ErrorCode = model.ErrorCode(err)
	return resp
}
