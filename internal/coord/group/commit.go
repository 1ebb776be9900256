package group

import (
	"context"
	"slices"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetCommit stores offsets of a group, of one of its members or by hand. Topics must
// have their names, also in versions that send ids; where an id is set it is stored.
func (s *Service) OffsetCommit(ctx context.Context, _ Caller, req *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse {
	fence, err := fences(req)
	var errs []error
	switch {
	case len(req.Group) > maxString: // the empty group may commit, as it always could
		err = kerr.InvalidGroupID
	case err != nil:
	case fence:
		errs, err = do(ctx, s, req.Group, runtime.Alone, func(st *state, t *runtime.Turn) ([]error, error) {
			return st.reset(t, req)
		})
	default:
		errs, err = do(ctx, s, req.Group, runtime.Independent, func(st *state, t *runtime.Turn) ([]error, error) {
			return st.commit(t, req)
		})
	}
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, 0, len(req.Topics))
	n := 0
	for i := range req.Topics {
		rt := &req.Topics[i]
		topic := kmsg.OffsetCommitResponseTopic{Topic: rt.Topic, TopicID: rt.TopicID}
		topic.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, 0, len(rt.Partitions))
		for j := range rt.Partitions {
			one := err
			if err == nil {
				one = errs[n]
				n++
			}
			topic.Partitions = append(topic.Partitions, kmsg.OffsetCommitResponseTopicPartition{
				Partition: rt.Partitions[j].Partition, ErrorCode: code(one),
			})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// roomPerOffset is more than a record of an offset takes besides its strings.
const roomPerOffset = 80

// commit writes the offsets and says for each partition, in the request's order, why
// not.
func (st *state) commit(t *runtime.Turn, req *kmsg.OffsetCommitRequest) ([]error, error) {
	if err := st.checkCommit(t, req); err != nil {
		return nil, err
	}
	return st.offsetsOf(t, req, t.Write), nil
}

// offsetsOf makes the records of the offsets in a commit, and says for each partition why
// not.
func (st *state) offsetsOf(t *runtime.Turn, req *kmsg.OffsetCommitRequest, write func(runtime.Record)) []error {
	limit := st.metadataLimit()
	var errs []error
	var room []byte
	for i := range req.Topics {
		rt := &req.Topics[i]
		errs = slices.Grow(errs, len(rt.Partitions))
		for j := range rt.Partitions {
			p := &rt.Partitions[j]
			o := offset{
				offset: p.Offset, leaderEpoch: max(p.LeaderEpoch, -1), commitMillis: t.Millis(),
				expireMillis: -1, topicID: model.ID(rt.TopicID),
			}
			if p.Metadata != nil {
				o.metadata = *p.Metadata
			}
			if err := fits(rt.Topic, o.metadata, limit); err != nil {
				errs = append(errs, err)
				continue
			}
			if req.Version >= 2 && req.Version <= 4 && req.RetentionTimeMillis >= 0 {
				o.expireMillis = t.Millis() + req.RetentionTimeMillis
			}
			if room == nil || cap(room)-len(room) < roomPerOffset+len(req.Group)+len(rt.Topic)+len(o.metadata) {
				room = make([]byte, 0, 16*(roomPerOffset+len(req.Group)+len(rt.Topic)+len(o.metadata)))
			}
			var r runtime.Record
			r, room = offsetRecord(room, req.Group, rt.Topic, p.Partition, &o)
			write(r)
			errs = append(errs, nil)
		}
	}
	return errs
}

// metadataLimit is how long the metadata of an offset may be.
func (st *state) metadataLimit() int { return min(st.settings().MetadataMaxBytes, maxString) }

// fits returns why an offset cannot be stored as it is.
func fits(topic, metadata string, limit int) error {
	switch {
	case len(topic) > maxString:
		return kerr.InvalidTopicException
	case len(metadata) > limit:
		return kerr.OffsetMetadataTooLarge
	}
	return nil
}

// checkCommit returns why the group does not take offsets of this sender: a member of
// the present generation, or anybody while the group has no members.
func (st *state) checkCommit(t *runtime.Turn, req *kmsg.OffsetCommitRequest) error {
	if h := st.holder(req.Group); h != nil {
		return h.checkCommit(committer{memberID: req.MemberID, instanceID: req.InstanceID, epoch: req.Generation, version: req.Version})
	}
	g := st.groups[req.Group]
	switch {
	case g == nil && req.Generation < 0:
		return nil // the commit makes the group
	case g == nil && req.Version >= 9:
		return kerr.GroupIDNotFound
	case g == nil:
		return kerr.IllegalGeneration
	case g.phase == empty && req.Generation < 0:
		return nil
	case req.Generation < 0 && req.MemberID == "" && req.InstanceID == nil:
		return kerr.UnknownMemberID
	}
	if err := g.check(req.MemberID, req.InstanceID); err != nil {
		return err
	}
	if req.Generation != g.generation {
		return kerr.IllegalGeneration
	}
	if g.phase == completing {
		return kerr.RebalanceInProgress
	}
	st.armSession(t, g, g.byID[req.MemberID])
	return nil
}
