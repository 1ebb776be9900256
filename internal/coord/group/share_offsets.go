package group

import (
	"context"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// noLag is the lag of a share partition that cannot be told.
const noLag = -1

// DescribeShareGroupOffsets tells where share groups are, in partitions that are named or
// in all whose state has begun. What is not known is at -1, which is no error.
func (s *Service) DescribeShareGroupOffsets(ctx context.Context, _ Caller, req *kmsg.DescribeShareGroupOffsetsRequest) *kmsg.DescribeShareGroupOffsetsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeShareGroupOffsetsResponse)
	for i := range req.Groups {
		asked := &req.Groups[i]
		g := kmsg.NewDescribeShareGroupOffsetsResponseGroup()
		g.GroupID = asked.GroupID
		topics, err := s.shareTopics(ctx, asked)
		if err != nil {
			g.ErrorCode, g.ErrorMessage = code(err), model.ErrorMessage(err)
		} else {
			g.Topics = s.describeShareTopics(ctx, asked.GroupID, topics)
		}
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}

// shareTopics are the partitions that a request asks for: with id zero if there is no such
// topic.
func (s *Service) shareTopics(ctx context.Context, asked *kmsg.DescribeShareGroupOffsetsRequestGroup) ([]namedTopic, error) {
	var topics []namedTopic
	if asked.Topics == nil {
		return do(ctx, s, asked.GroupID, runtime.Alone, func(st *state, _ *runtime.Turn) ([]namedTopic, error) {
			g := st.shares[asked.GroupID]
			if g == nil {
				return nil, nil
			}
			for _, id := range sortedIDs(g.states.initialized) {
				if name, ok := st.topics.name(id); ok {
					topics = append(topics, namedTopic{id, name, g.states.initialized[id].partitions})
				}
			}
			return topics, nil
		})
	}
	image := s.cfg.Image()
	for _, t := range asked.Topics {
		named := namedTopic{name: t.Topic, partitions: t.Partitions}
		if known, ok := image.Topic(t.Topic); ok {
			named.id = known.ID
		}
		topics = append(topics, named)
	}
	return topics, nil
}

type namedTopic struct {
	id         model.ID
	name       string
	partitions []int32
}

func (s *Service) describeShareTopics(ctx context.Context, group string, topics []namedTopic) []kmsg.DescribeShareGroupOffsetsResponseGroupTopic {
	var keys []share.Key
	names := map[share.Key]model.TopicPartition{}
	for _, t := range topics {
		for _, p := range t.partitions {
			if k := (share.Key{Group: group, TopicID: t.id, Partition: p}); !t.id.IsZero() {
				keys, names[k] = append(keys, k), model.TopicPartition{Topic: t.name, Partition: p}
			}
		}
	}
	var known map[share.Key]share.Summary
	if len(keys) > 0 && s.cfg.Shares != nil {
		known, _ = s.cfg.Shares.Summaries(ctx, keys, 0)
	}
	var lagging []model.TopicPartition
	for k, sum := range known {
		if sum.Start != share.NoStart && sum.DeliveryCompleteCount >= 0 {
			lagging = append(lagging, names[k])
		}
	}
	ends := s.ends(ctx, lagging)
	var described []kmsg.DescribeShareGroupOffsetsResponseGroupTopic
	for _, t := range topics {
		d := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopic()
		d.Topic, d.TopicID = t.name, t.id
		for _, p := range t.partitions {
			one := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopicPartition()
			one.Partition, one.StartOffset, one.Lag = p, share.NoStart, noLag
			if sum, ok := known[share.Key{Group: group, TopicID: t.id, Partition: p}]; ok {
				one.StartOffset, one.LeaderEpoch = sum.Start, sum.LeaderEpoch
				if end, asked := ends[model.TopicPartition{Topic: t.name, Partition: p}]; asked && end.err != nil {
					one = kmsg.NewDescribeShareGroupOffsetsResponseGroupTopicPartition()
					one.Partition, one.Lag = p, noLag
					one.ErrorCode, one.ErrorMessage = model.ErrorCode(end.err), kmsg.StringPtr(model.ClientMessage(end.err))
				} else if asked {
					one.Lag = max(end.offset-sum.Start-int64(sum.DeliveryCompleteCount), 0)
				}
			}
			d.Partitions = append(d.Partitions, one)
		}
		described = append(described, d)
	}
	return described
}

// AlterShareGroupOffsets begins the states of a group without members anew, elsewhere. A
// group that is not there is made.
func (s *Service) AlterShareGroupOffsets(ctx context.Context, _ Caller, req *kmsg.AlterShareGroupOffsetsRequest) *kmsg.AlterShareGroupOffsetsResponse {
	resp := req.ResponseKind().(*kmsg.AlterShareGroupOffsetsResponse)
	err := shareGroupID(req.GroupID)
	var task beginning
	if err == nil {
		task, err = do(ctx, s, req.GroupID, runtime.Alone, func(st *state, t *runtime.Turn) (beginning, error) {
			return st.alterShareOffsets(t, req)
		})
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = code(err), model.ErrorMessage(err)
		return resp
	}
	failed := map[share.Key]error{}
	if len(task.starts) > 0 {
		failed = s.beginState(ctx, task)
	}
	image := s.cfg.Image()
	for _, t := range req.Topics {
		rt := kmsg.NewAlterShareGroupOffsetsResponseTopic()
		rt.Topic = t.Topic
		if known, ok := image.Topic(t.Topic); ok {
			rt.TopicID = known.ID
		}
		for _, p := range t.Partitions {
			rp := kmsg.NewAlterShareGroupOffsetsResponseTopicPartition()
			rp.Partition = p.Partition
			k := share.Key{Group: req.GroupID, TopicID: rt.TopicID, Partition: p.Partition}
			err := failed[k]
			switch {
			case rt.TopicID != model.ID{} && task.has(k):
			case p.StartOffset < share.NoStart:
				err = model.Explain(kerr.InvalidRequest, "The start offset is negative.")
			default:
				err = kerr.UnknownTopicOrPartition
			}
			if err != nil { // about this partition, not about the group's log
				rp.ErrorCode, rp.ErrorMessage = model.ErrorCode(err), kmsg.StringPtr(model.ClientMessage(err))
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// shareGroupID returns why no share group has that name.
func shareGroupID(id string) error {
	if id == "" || len(id) > maxString {
		return kerr.InvalidGroupID
	}
	return nil
}

// alterShareOffsets begins a new epoch of the group, under which the states begin: by it
// coordinators know them from those before.
func (st *state) alterShareOffsets(t *runtime.Turn, req *kmsg.AlterShareGroupOffsetsRequest) (beginning, error) {
	g, err := st.shareGroup(req.GroupID, true)
	switch {
	case err != nil:
		return beginning{}, err
	case !g.empty():
		return beginning{}, kerr.NonEmptyGroup
	case g.deletions > 0:
		return beginning{}, kerr.CoordinatorLoadInProgress
	}
	task := beginning{group: g.id, these: map[model.ID]topicParts{}}
	seen := map[share.Key]bool{}
	for _, rt := range req.Topics {
		known, ok := st.topics.image.Topic(rt.Topic)
		if !ok {
			continue
		}
		for _, p := range rt.Partitions {
			k := share.Key{Group: g.id, TopicID: known.ID, Partition: p.Partition}
			if p.Partition < 0 || int(p.Partition) >= len(known.Partitions) || p.StartOffset < share.NoStart || seen[k] {
				continue
			}
			seen[k] = true
			with(task.these, known.ID, topicParts{rt.Topic, []int32{p.Partition}})
			task.starts = append(task.starts, share.Start{Key: k, StateEpoch: g.epoch + 1, Offset: p.StartOffset})
		}
	}
	if len(task.starts) == 0 {
		return task, nil
	}
	p := newPlan(t)
	p.write(shareEpochRecord(g.id, g.epoch+1, g.hash))
	p.write(shareStatesRecord(g.id, g.states.begin(task.these)))
	st.tried(p, task.starts)
	return task, p.carryOut()
}

// has reports whether the task is about a partition.
func (b *beginning) has(k share.Key) bool {
	in, _ := split([]int32{k.Partition}, b.these[k.TopicID].partitions)
	return len(in) > 0
}
