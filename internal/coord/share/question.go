package share

import (
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// question is one about one share partition, with its answer. It is touched by whoever
// drives it, and then by its owner.
type question struct {
	kind        kmsg.Key
	key         Key
	stateEpoch  int32
	leaderEpoch int32
	start       int64
	complete    int32
	batches     []StateBatch

	node    int32 // its coordinator
	err     error
	state   PartitionState
	summary Summary
}

var errLeftOut = errors.New("the share coordinator's answer leaves out what was asked")

// ask makes the request for questions of one lane.
func ask(at lane, all []*question) kmsg.Request {
	switch at.kind {
	case kmsg.InitializeShareGroupState:
		return askInitialize(at.group, all)
	case kmsg.ReadShareGroupState:
		return askRead(at.group, all)
	case kmsg.WriteShareGroupState:
		return askWrite(at.group, all)
	case kmsg.DeleteShareGroupState:
		return askDelete(at.group, all)
	case kmsg.ReadShareGroupStateSummary:
		return askSummary(at.group, all)
	}
	panic(fmt.Sprintf("bug: no question is of kind %v", at.kind))
}

// topics groups questions by topic, in the order in which topics are first named.
func topics[T any](all []*question, topic func(model.ID) T, add func(*T, *question)) []T {
	var list []T
	at := map[model.ID]int{}
	for _, q := range all {
		i, ok := at[q.key.TopicID]
		if !ok {
			i = len(list)
			at[q.key.TopicID] = i
			list = append(list, topic(q.key.TopicID))
		}
		add(&list[i], q)
	}
	return list
}

func askInitialize(group string, all []*question) kmsg.Request {
	req := kmsg.NewPtrInitializeShareGroupStateRequest()
	req.GroupID = group
	req.Topics = topics(all, func(id model.ID) kmsg.InitializeShareGroupStateRequestTopic {
		return kmsg.InitializeShareGroupStateRequestTopic{TopicID: id}
	}, func(t *kmsg.InitializeShareGroupStateRequestTopic, q *question) {
		p := kmsg.NewInitializeShareGroupStateRequestTopicPartition()
		p.Partition, p.StateEpoch, p.StartOffset = q.key.Partition, q.stateEpoch, q.start
		t.Partitions = append(t.Partitions, p)
	})
	return req
}

func askRead(group string, all []*question) kmsg.Request {
	req := kmsg.NewPtrReadShareGroupStateRequest()
	req.GroupID = group
	req.Topics = topics(all, func(id model.ID) kmsg.ReadShareGroupStateRequestTopic {
		return kmsg.ReadShareGroupStateRequestTopic{TopicID: id}
	}, func(t *kmsg.ReadShareGroupStateRequestTopic, q *question) {
		p := kmsg.NewReadShareGroupStateRequestTopicPartition()
		p.Partition, p.LeaderEpoch = q.key.Partition, q.leaderEpoch
		t.Partitions = append(t.Partitions, p)
	})
	return req
}

func askWrite(group string, all []*question) kmsg.Request {
	req := kmsg.NewPtrWriteShareGroupStateRequest()
	req.GroupID = group
	req.Topics = topics(all, func(id model.ID) kmsg.WriteShareGroupStateRequestTopic {
		return kmsg.WriteShareGroupStateRequestTopic{TopicID: id}
	}, func(t *kmsg.WriteShareGroupStateRequestTopic, q *question) {
		p := kmsg.NewWriteShareGroupStateRequestTopicPartition()
		p.Partition, p.StateEpoch, p.LeaderEpoch = q.key.Partition, q.stateEpoch, q.leaderEpoch
		p.StartOffset, p.DeliveryCompleteCount = q.start, q.complete
		for _, b := range q.batches {
			p.StateBatches = append(p.StateBatches, kmsg.WriteShareGroupStateRequestTopicPartitionStateBatch{
				FirstOffset: b.First, LastOffset: b.Last, DeliveryState: b.State, DeliveryCount: b.Deliveries,
			})
		}
		t.Partitions = append(t.Partitions, p)
	})
	return req
}

func askDelete(group string, all []*question) kmsg.Request {
	req := kmsg.NewPtrDeleteShareGroupStateRequest()
	req.GroupID = group
	req.Topics = topics(all, func(id model.ID) kmsg.DeleteShareGroupStateRequestTopic {
		return kmsg.DeleteShareGroupStateRequestTopic{TopicID: id}
	}, func(t *kmsg.DeleteShareGroupStateRequestTopic, q *question) {
		p := kmsg.NewDeleteShareGroupStateRequestTopicPartition()
		p.Partition = q.key.Partition
		t.Partitions = append(t.Partitions, p)
	})
	return req
}

func askSummary(group string, all []*question) kmsg.Request {
	req := kmsg.NewPtrReadShareGroupStateSummaryRequest()
	req.GroupID = group
	req.Topics = topics(all, func(id model.ID) kmsg.ReadShareGroupStateSummaryRequestTopic {
		return kmsg.ReadShareGroupStateSummaryRequestTopic{TopicID: id}
	}, func(t *kmsg.ReadShareGroupStateSummaryRequestTopic, q *question) {
		p := kmsg.NewReadShareGroupStateSummaryRequestTopicPartition()
		p.Partition, p.LeaderEpoch = q.key.Partition, q.leaderEpoch
		t.Partitions = append(t.Partitions, p)
	})
	return req
}

// settle gives questions their answers.
func settle(all []*question, resp kmsg.Response, err error) {
	at := make(map[model.IDPartition][]*question, len(all))
	for _, q := range all {
		if q.err = err; err == nil {
			q.err = errLeftOut
		}
		tp := model.IDPartition{Topic: q.key.TopicID, Partition: q.key.Partition}
		at[tp] = append(at[tp], q)
	}
	if err != nil {
		return
	}
	answer := func(topic model.ID, partition int32, code int16, message *string, take func(*question)) {
		for _, q := range at[model.IDPartition{Topic: topic, Partition: partition}] {
			if q.err = told(code, message); q.err == nil && take != nil {
				take(q)
			}
		}
	}
	switch resp := resp.(type) {
	case *kmsg.InitializeShareGroupStateResponse:
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				answer(t.TopicID, p.Partition, p.ErrorCode, p.ErrorMessage, nil)
			}
		}
	case *kmsg.ReadShareGroupStateResponse:
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				answer(t.TopicID, p.Partition, p.ErrorCode, p.ErrorMessage, func(q *question) { q.state = stateOf(&p) })
			}
		}
	case *kmsg.WriteShareGroupStateResponse:
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				answer(t.TopicID, p.Partition, p.ErrorCode, p.ErrorMessage, nil)
			}
		}
	case *kmsg.DeleteShareGroupStateResponse:
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				answer(t.TopicID, p.Partition, p.ErrorCode, p.ErrorMessage, nil)
			}
		}
	case *kmsg.ReadShareGroupStateSummaryResponse:
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				answer(t.TopicID, p.Partition, p.ErrorCode, p.ErrorMessage, func(q *question) {
					q.summary = Summary{p.StateEpoch, p.LeaderEpoch, p.StartOffset, p.DeliveryCompleteCount}
				})
			}
		}
	}
}

// stateOf reads a state. How many records are done with is not in the answer; the batches
// tell.
func stateOf(p *kmsg.ReadShareGroupStateResponseTopicPartition) PartitionState {
	s := PartitionState{StateEpoch: p.StateEpoch, Start: p.StartOffset, DeliveryCompleteCount: -1}
	for _, b := range p.StateBatches {
		s.Batches = append(s.Batches, StateBatch{b.FirstOffset, b.LastOffset, b.DeliveryState, b.DeliveryCount})
	}
	if s.Start != NoStart {
		s.DeliveryCompleteCount = completed(s.Batches)
	}
	return s
}

// told is the error of an answer, with its words.
func told(code int16, message *string) error {
	err, ok := kerr.ErrorForCode(code).(*kerr.Error)
	if !ok || message == nil || *message == "" {
		return kerr.ErrorForCode(code)
	}
	return model.Explain(err, *message)
}
