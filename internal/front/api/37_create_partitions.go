package api

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreatePartitions, key 37, versions 0 to 3 (2: flexible; 3: THROTTLING_QUOTA_EXCEEDED,
// KIP-599).
func (s *Server) createPartitions(ctx context.Context, r *Request, req *kmsg.CreatePartitionsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrCreatePartitionsResponse()
	var topics []controller.MorePartitions
	count := counts(req.Topics, func(t kmsg.CreatePartitionsRequestTopic) string { return t.Topic })
	for _, t := range req.Topics {
		switch {
		case count[t.Topic] > 1:
			count[t.Topic] = 0
			resp.Topics = append(resp.Topics, partitionsResult(t.Topic, errDuplicateTopic))
		case count[t.Topic] == 1:
			topics = append(topics, morePartitions(t))
		}
	}
	if len(topics) == 0 {
		return resp, nil
	}
	ctx, cancel := s.patience(ctx, req.TimeoutMillis)
	defer cancel()
	results, err := s.cfg.Controller.CreatePartitions(ctx, topics, req.ValidateOnly)
	if err != nil {
		return nil, err
	}
	for _, t := range results {
		resp.Topics = append(resp.Topics, partitionsResult(t.Topic, t.Err))
	}
	return resp, nil
}

// failCreatePartitions says err of each topic, once.
func failCreatePartitions(req *kmsg.CreatePartitionsRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrCreatePartitionsResponse()
	told := make(map[string]bool)
	for _, t := range req.Topics {
		if !told[t.Topic] {
			told[t.Topic] = true
			resp.Topics = append(resp.Topics, partitionsResult(t.Topic, err))
		}
	}
	return resp
}

// morePartitions keeps null assignments, which leave the placing to the controller,
// apart from an empty list, which fits no count.
func morePartitions(t kmsg.CreatePartitionsRequestTopic) controller.MorePartitions {
	m := controller.MorePartitions{Topic: t.Topic, Count: t.Count}
	if t.Assignment != nil {
		m.Assignments = make([][]int32, len(t.Assignment))
	}
	for i, a := range t.Assignment {
		m.Assignments[i] = a.Replicas
	}
	return m
}

func partitionsResult(topic string, err error) kmsg.CreatePartitionsResponseTopic {
	t := kmsg.NewCreatePartitionsResponseTopic()
	t.Topic, t.ErrorCode, t.ErrorMessage = topic, model.ErrorCode(err), model.ErrorMessage(err)
	return t
}
