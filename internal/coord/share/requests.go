package share

import (
	"context"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// InitializeState begins the states of share partitions.
func (s *Service) InitializeState(ctx context.Context, req *kmsg.InitializeShareGroupStateRequest) *kmsg.InitializeShareGroupStateResponse {
	resp := req.ResponseKind().(*kmsg.InitializeShareGroupStateResponse)
	var keys []Key
	var asked []kmsg.InitializeShareGroupStateRequestTopicPartition
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			keys, asked = append(keys, Key{req.GroupID, t.TopicID, p.Partition}), append(asked, p)
		}
	}
	if req.GroupID == "" {
		return resp
	}
	replies := each(ctx, s, keys, func(st *state, t *runtime.Turn, i int) (struct{}, error) {
		return struct{}{}, st.initialize(t, keys[i], asked[i].StateEpoch, asked[i].StartOffset)
	})
	for _, t := range req.Topics {
		rt := kmsg.NewInitializeShareGroupStateResponseTopic()
		rt.TopicID = t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewInitializeShareGroupStateResponseTopicPartition()
			rp.Partition = p.Partition
			rp.ErrorCode, rp.ErrorMessage = said(replies[0].err)
			rt.Partitions, replies = append(rt.Partitions, rp), replies[1:]
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// ReadState reads states for leaders of partitions.
func (s *Service) ReadState(ctx context.Context, req *kmsg.ReadShareGroupStateRequest) *kmsg.ReadShareGroupStateResponse {
	resp := req.ResponseKind().(*kmsg.ReadShareGroupStateResponse)
	var keys []Key
	var epochs []int32
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			keys, epochs = append(keys, Key{req.GroupID, t.TopicID, p.Partition}), append(epochs, p.LeaderEpoch)
		}
	}
	if req.GroupID == "" {
		return resp
	}
	replies := each(ctx, s, keys, func(st *state, t *runtime.Turn, i int) (snapshot, error) {
		return st.read(t, keys[i], epochs[i])
	})
	for _, t := range req.Topics {
		rt := kmsg.NewReadShareGroupStateResponseTopic()
		rt.TopicID = t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewReadShareGroupStateResponseTopicPartition()
			rp.Partition = p.Partition
			have := replies[0].value
			rp.StateEpoch, rp.StartOffset = have.stateEpoch, have.start
			for _, b := range have.batches {
				rp.StateBatches = append(rp.StateBatches, kmsg.ReadShareGroupStateResponseTopicPartitionStateBatch{
					FirstOffset: b.First, LastOffset: b.Last, DeliveryState: b.State, DeliveryCount: b.Deliveries,
				})
			}
			rp.ErrorCode, rp.ErrorMessage = said(replies[0].err)
			rt.Partitions, replies = append(rt.Partitions, rp), replies[1:]
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// WriteState stores what leaders of partitions have decided.
func (s *Service) WriteState(ctx context.Context, req *kmsg.WriteShareGroupStateRequest) *kmsg.WriteShareGroupStateResponse {
	resp := req.ResponseKind().(*kmsg.WriteShareGroupStateResponse)
	var keys []Key
	var epochs []int32
	var updates []update
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			keys, epochs = append(keys, Key{req.GroupID, t.TopicID, p.Partition}), append(epochs, p.StateEpoch)
			u := update{leaderEpoch: p.LeaderEpoch, start: p.StartOffset, complete: p.DeliveryCompleteCount}
			for _, b := range p.StateBatches {
				u.batches = append(u.batches, StateBatch{b.FirstOffset, b.LastOffset, b.DeliveryState, b.DeliveryCount})
			}
			updates = append(updates, u)
		}
	}
	if req.GroupID == "" {
		return resp
	}
	replies := each(ctx, s, keys, func(st *state, t *runtime.Turn, i int) (struct{}, error) {
		return struct{}{}, st.write(t, keys[i], epochs[i], updates[i])
	})
	for _, t := range req.Topics {
		rt := kmsg.NewWriteShareGroupStateResponseTopic()
		rt.TopicID = t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewWriteShareGroupStateResponseTopicPartition()
			rp.Partition = p.Partition
			rp.ErrorCode, rp.ErrorMessage = said(replies[0].err)
			rt.Partitions, replies = append(rt.Partitions, rp), replies[1:]
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// DeleteState forgets share partitions.
func (s *Service) DeleteState(ctx context.Context, req *kmsg.DeleteShareGroupStateRequest) *kmsg.DeleteShareGroupStateResponse {
	resp := req.ResponseKind().(*kmsg.DeleteShareGroupStateResponse)
	var keys []Key
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			keys = append(keys, Key{req.GroupID, t.TopicID, p.Partition})
		}
	}
	if req.GroupID == "" {
		return resp
	}
	replies := each(ctx, s, keys, func(st *state, t *runtime.Turn, i int) (struct{}, error) {
		return struct{}{}, st.delete(t, keys[i])
	})
	for _, t := range req.Topics {
		rt := kmsg.NewDeleteShareGroupStateResponseTopic()
		rt.TopicID = t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewDeleteShareGroupStateResponseTopicPartition()
			rp.Partition = p.Partition
			rp.ErrorCode, rp.ErrorMessage = said(replies[0].err)
			rt.Partitions, replies = append(rt.Partitions, rp), replies[1:]
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// ReadStateSummary tells how far share groups are.
func (s *Service) ReadStateSummary(ctx context.Context, req *kmsg.ReadShareGroupStateSummaryRequest) *kmsg.ReadShareGroupStateSummaryResponse {
	resp := req.ResponseKind().(*kmsg.ReadShareGroupStateSummaryResponse)
	var keys []Key
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			keys = append(keys, Key{req.GroupID, t.TopicID, p.Partition})
		}
	}
	if req.GroupID == "" {
		return resp
	}
	replies := each(ctx, s, keys, func(st *state, _ *runtime.Turn, i int) (snapshot, error) {
		return st.summary(keys[i])
	})
	for _, t := range req.Topics {
		rt := kmsg.NewReadShareGroupStateSummaryResponseTopic()
		rt.TopicID = t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewReadShareGroupStateSummaryResponseTopicPartition()
			rp.Partition = p.Partition
			have := replies[0].value
			rp.StateEpoch, rp.LeaderEpoch, rp.StartOffset = have.stateEpoch, have.leaderEpoch, have.start
			rp.DeliveryCompleteCount = have.complete
			rp.ErrorCode, rp.ErrorMessage = said(replies[0].err)
			rt.Partitions, replies = append(rt.Partitions, rp), replies[1:]
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// said is what a response says of an error.
func said(err error) (code int16, message *string) {
	if err == nil {
		return 0, nil
	}
	return model.ErrorCode(err), kmsg.StringPtr(model.ClientMessage(err))
}
