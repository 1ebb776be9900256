package group

import (
	"context"
	"errors"

	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetFetch reads the committed offsets of one group, before version 8, or of several.
// Topics must have their names, also in versions that send ids; a group without topics
// (null) asks for all that it has.
func (s *Service) OffsetFetch(ctx context.Context, _ Caller, req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version >= 8 {
		for _, g := range req.Groups {
			resp.Groups = append(resp.Groups, s.fetchGroup(ctx, g, req.RequireStable))
		}
		return resp
	}
	g := s.fetchGroup(ctx, requestedGroup(req), req.RequireStable)
	if resp.ErrorCode = g.ErrorCode; g.ErrorCode != 0 && req.Version < 2 {
		g.Topics = failedTopics(req.Topics, g.ErrorCode)
	}
	for _, t := range g.Topics {
		topic := kmsg.OffsetFetchResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata, ErrorCode: p.ErrorCode,
			})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// requestedGroup is a request for one group in the form of those for several.
func requestedGroup(req *kmsg.OffsetFetchRequest) kmsg.OffsetFetchRequestGroup {
	g := kmsg.OffsetFetchRequestGroup{Group: req.Group, MemberEpoch: -1}
	if req.Topics == nil {
		return g
	}
	g.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	for _, t := range req.Topics {
		g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: t.Topic, Partitions: t.Partitions})
	}
	return g
}

// failedTopics answers every partition with an error, for versions without one of the
// whole response.
func failedTopics(topics []kmsg.OffsetFetchRequestTopic, errorCode int16) []kmsg.OffsetFetchResponseGroupTopic {
	failed := make([]kmsg.OffsetFetchResponseGroupTopic, 0, len(topics))
	for _, t := range topics {
		topic := kmsg.OffsetFetchResponseGroupTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			one := fetched(p, nil)
			one.ErrorCode = errorCode
			topic.Partitions = append(topic.Partitions, one)
		}
		failed = append(failed, topic)
	}
	return failed
}

func (s *Service) fetchGroup(ctx context.Context, req kmsg.OffsetFetchRequestGroup, stable bool) kmsg.OffsetFetchResponseGroup {
	topics, err := s.fetchOffsets(ctx, req, stable)
	resp := kmsg.OffsetFetchResponseGroup{Group: req.Group, Topics: topics, ErrorCode: code(err)}
	if errors.Is(err, kerr.RequestTimedOut) {
		resp.ErrorCode = kerr.NotCoordinator.Code // clients before 3.9 retry on this one only
	}
	return resp
}

// fetchOffsets writes nothing, so no follower would refuse it: a coordinator that was replaced, and
// does not know, would tell what was, and a pipeline would begin there.
func (s *Service) fetchOffsets(ctx context.Context, req kmsg.OffsetFetchRequestGroup, stable bool) ([]kmsg.OffsetFetchResponseGroupTopic, error) {
	if p := s.PartitionFor(req.Group); p >= 0 && s.cfg.Undisputed != nil {
		asking, cancel := context.WithTimeout(ctx, s.settings().CommitTimeout)
		defer cancel()
		if err := s.cfg.Undisputed(asking, p); err != nil {
			return nil, err
		}
	}
	return do(ctx, s, req.Group, runtime.Alone, func(st *state, _ *runtime.Turn) ([]kmsg.OffsetFetchResponseGroupTopic, error) {
		if err := st.checkFetch(req); err != nil {
			return nil, err
		}
		if req.Topics == nil {
			return st.fetchAll(req.Group, stable), nil
		}
		return st.fetch(req, stable), nil
	})
}

// checkFetch returns why a member may not see the offsets of its group. A group that keeps
// none, as a share group, is asked as if it were not there.
func (st *state) checkFetch(req kmsg.OffsetFetchRequestGroup) error {
	h := st.holder(req.Group)
	if h == nil {
		return nil
	}
	err := h.checkFetch(req.MemberID, req.MemberEpoch)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	return err
}

// fetch reads the offsets that are asked for. With stable, those that an open transaction
// may change are answered UNSTABLE_OFFSET_COMMIT.
func (st *state) fetch(req kmsg.OffsetFetchRequestGroup, stable bool) []kmsg.OffsetFetchResponseGroupTopic {
	topics := make([]kmsg.OffsetFetchResponseGroupTopic, 0, len(req.Topics))
	for i := range req.Topics {
		rt := &req.Topics[i]
		topic := kmsg.OffsetFetchResponseGroupTopic{Topic: rt.Topic, TopicID: rt.TopicID}
		for _, p := range rt.Partitions {
			topic.Partitions = append(topic.Partitions, st.fetchOne(req.Group, model.TopicPartition{Topic: rt.Topic, Partition: p}, rt.TopicID, stable))
		}
		topics = append(topics, topic)
	}
	return topics
}

func (st *state) fetchOne(group string, tp model.TopicPartition, topicID model.ID, stable bool) kmsg.OffsetFetchResponseGroupTopicPartition {
	if stable && len(st.offsets.open[group][tp]) > 0 && !planted.Is(planted.PendingOffsetsTold) {
		unstable := fetched(tp.Partition, nil)
		unstable.ErrorCode = kerr.UnstableOffsetCommit.Code
		return unstable
	}
	o, ok := st.offsets.committed[group][tp]
	if !ok || !st.exists(group) || !o.topicID.IsZero() && !topicID.IsZero() && o.topicID != topicID {
		return fetched(tp.Partition, nil)
	}
	return fetched(tp.Partition, &o)
}

func (st *state) fetchAll(group string, stable bool) []kmsg.OffsetFetchResponseGroupTopic {
	topics := []kmsg.OffsetFetchResponseGroupTopic{}
	for _, tp := range sortedPartitions(st.offsets.committed[group]) {
		if n := len(topics); n == 0 || topics[n-1].Topic != tp.Topic {
			topics = append(topics, kmsg.OffsetFetchResponseGroupTopic{Topic: tp.Topic})
		}
		topic := &topics[len(topics)-1]
		topic.Partitions = append(topic.Partitions, st.fetchOne(group, tp, model.ID{}, stable))
	}
	return topics
}

// fetched is the answer for one partition; no offset is -1.
func fetched(partition int32, o *offset) kmsg.OffsetFetchResponseGroupTopicPartition {
	p := kmsg.OffsetFetchResponseGroupTopicPartition{Partition: partition, Offset: -1, LeaderEpoch: -1, Metadata: new(string)}
	if o != nil {
		p.Offset, p.LeaderEpoch, p.Metadata = o.offset, o.leaderEpoch, &o.metadata
	}
	return p
}
