package group

import (
	"context"
	"slices"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteShareGroupOffsets forgets where a group without members is in topics.
func (s *Service) DeleteShareGroupOffsets(ctx context.Context, _ Caller, req *kmsg.DeleteShareGroupOffsetsRequest) *kmsg.DeleteShareGroupOffsetsResponse {
	resp := req.ResponseKind().(*kmsg.DeleteShareGroupOffsetsResponse)
	err := shareGroupID(req.GroupID)
	var names []string
	for _, t := range req.Topics {
		names = append(names, t.Topic)
	}
	var these map[model.ID]topicParts
	if err == nil {
		these, err = do(ctx, s, req.GroupID, runtime.Alone, func(st *state, t *runtime.Turn) (map[model.ID]topicParts, error) {
			return st.forgetStates(t, req.GroupID, func(name string) bool { return slices.Contains(names, name) })
		})
	}
	var failed map[share.Key]error
	if err == nil {
		failed, err = s.deleteStates(ctx, req.GroupID, these)
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = code(err), model.ErrorMessage(err)
		return resp
	}
	image := s.cfg.Image()
	for _, name := range names {
		rt := kmsg.NewDeleteShareGroupOffsetsResponseTopic()
		rt.Topic = name
		err := error(kerr.UnknownTopicOrPartition)
		if known, ok := image.Topic(name); ok {
			err = model.Explain(kerr.UnknownTopicOrPartition, "There is no offset information to delete.")
			if t, ok := these[known.ID]; ok {
				rt.TopicID = known.ID
				err = firstFailure(failed, req.GroupID, known.ID, t.partitions)
			}
		}
		if err != nil { // about this topic, not about the group's log
			rt.ErrorCode, rt.ErrorMessage = model.ErrorCode(err), kmsg.StringPtr(model.ClientMessage(err))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func firstFailure(failed map[share.Key]error, group string, topic model.ID, partitions []int32) error {
	for _, p := range partitions {
		if err := failed[share.Key{Group: group, TopicID: topic, Partition: p}]; err != nil {
			return err
		}
	}
	return nil
}

// forgetShareGroup has the states of a share group deleted that is to be deleted. Of what
// is no share group there are none.
func (s *Service) forgetShareGroup(ctx context.Context, id string) error {
	these, err := do(ctx, s, id, runtime.Alone, func(st *state, t *runtime.Turn) (map[model.ID]topicParts, error) {
		if st.shares[id] == nil {
			return nil, nil
		}
		return st.forgetStates(t, id, func(string) bool { return true })
	})
	if err != nil || these == nil {
		return err
	}
	failed, err := s.deleteStates(ctx, id, these)
	for topic, t := range these {
		if err == nil {
			err = firstFailure(failed, id, topic, t.partitions)
		}
	}
	return err
}

// forgetStates notes that the states of topics are to be deleted, also those whose
// deletion was not finished, and returns them. No state begins meanwhile.
func (st *state) forgetStates(t *runtime.Turn, id string, which func(name string) bool) (map[model.ID]topicParts, error) {
	g, err := st.shareGroup(id, false)
	switch {
	case err != nil:
		return nil, err
	case !g.empty():
		return nil, kerr.NonEmptyGroup
	}
	these := map[model.ID]topicParts{}
	for _, m := range []map[model.ID]topicParts{g.states.initialized, g.states.initializing} {
		for id, t := range m {
			if which(t.name) {
				with(these, id, t)
			}
		}
	}
	for id := range g.states.deleting {
		if known, ok := st.topics.image.TopicByID(id); ok && which(known.Name) {
			all := make([]int32, len(known.Partitions))
			for i := range all {
				all[i] = int32(i)
			}
			with(these, id, topicParts{known.Name, all})
		}
	}
	p := newPlan(t)
	if next := g.states.forget(these); !next.equal(g.states) {
		p.write(shareStatesRecord(g.id, next))
	}
	p.then(func() {
		g.deletions++
		for k, last := range st.tries {
			if _, ok := these[k.TopicID]; ok && k.Group == id {
				last.void = true
				st.tries[k] = last
			}
		}
	})
	return these, p.carryOut()
}

// deleteStates deletes them and notes those that are gone. It returns why others are not.
func (s *Service) deleteStates(ctx context.Context, id string, these map[model.ID]topicParts) (map[share.Key]error, error) {
	var failed map[share.Key]error
	if s.cfg.Shares != nil {
		failed = s.cfg.Shares.DeleteStates(ctx, shareKeys(id, these))
	}
	var done []model.ID
	for topic, t := range these {
		if firstFailure(failed, id, topic, t.partitions) == nil {
			done = append(done, topic)
		}
	}
	// It must be noted that the deletion is over, though nobody may wait for it any more.
	_, err := do(context.WithoutCancel(ctx), s, id, runtime.Alone, func(st *state, t *runtime.Turn) (struct{}, error) {
		g := st.shares[id]
		if g == nil {
			return struct{}{}, nil
		}
		p := newPlan(t)
		next := g.states.forgotten(done)
		if !next.equal(g.states) {
			p.write(shareStatesRecord(id, next))
		}
		for topic := range next.deleting {
			if _, tried := these[topic]; tried {
				g.ending[topic] = t.Now
			}
		}
		g.deletions = max(g.deletions-1, 0)
		return struct{}{}, p.carryOut()
	})
	return failed, err
}
