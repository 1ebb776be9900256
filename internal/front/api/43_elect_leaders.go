package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ElectLeaders, key 43, versions 0 to 2 (1: unclean elections, KIP-460; 2: flexible).
// Null elects for every partition that needs it, and only those are answered.
func (s *Server) electLeaders(ctx context.Context, r *Request, req *kmsg.ElectLeadersRequest) (kmsg.Response, error) {
	kind := controller.ElectionType(req.ElectionType)
	if kind != controller.PreferredElection && kind != controller.UncleanElection {
		err := model.Explain(kerr.InvalidRequest, fmt.Sprintf("Unknown election type %d.", kind))
		return failElectLeaders(req, err), nil
	}
	var asked []controller.TopicPartitions
	if req.Topics != nil {
		asked = make([]controller.TopicPartitions, len(req.Topics))
	}
	for i, t := range req.Topics {
		asked[i] = controller.TopicPartitions{Topic: t.Topic, Partitions: t.Partitions}
	}
	ctx, cancel := s.patience(ctx, req.TimeoutMillis)
	defer cancel()
	results, err := s.cfg.Controller.ElectLeaders(ctx, kind, asked)
	if err != nil {
		return nil, err
	}
	resp := kmsg.NewPtrElectLeadersResponse()
	for _, group := range byTopic(results) {
		t := kmsg.NewElectLeadersResponseTopic()
		t.Topic = group[0].Topic
		for _, p := range group {
			t.Partitions = append(t.Partitions, electResult(p.Partition, p.Err))
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp, nil
}

func electResult(partition int32, err error) kmsg.ElectLeadersResponseTopicPartition {
	p := kmsg.NewElectLeadersResponseTopicPartition()
	p.Partition, p.ErrorCode, p.ErrorMessage = partition, model.ErrorCode(err), model.ErrorMessage(err)
	return p
}

// failElectLeaders says err of the request and of each partition that it names.
func failElectLeaders(req *kmsg.ElectLeadersRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrElectLeadersResponse()
	resp.ErrorCode = model.ErrorCode(err)
	for _, q := range req.Topics {
		t := kmsg.NewElectLeadersResponseTopic()
		t.Topic = q.Topic
		for _, p := range q.Partitions {
			t.Partitions = append(t.Partitions, electResult(p, err))
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// byTopic groups results by topic, in the order in which topics first appear.
func byTopic(results []controller.PartitionResult) [][]controller.PartitionResult {
	place := make(map[string]int)
	var groups [][]controller.PartitionResult
	for _, r := range results {
		i, ok := place[r.Topic]
		if !ok {
			i = len(groups)
			place[r.Topic] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	return slices.Clip(groups)
}
