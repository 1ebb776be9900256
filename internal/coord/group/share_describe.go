package group

import (
	"context"

	"github.com/odradek/odradek/internal/coord/group/assign"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ShareGroupDescribe describes share groups. Authorized operations are left to whoever
// knows them.
func (s *Service) ShareGroupDescribe(ctx context.Context, _ Caller, req *kmsg.ShareGroupDescribeRequest) *kmsg.ShareGroupDescribeResponse {
	resp := req.ResponseKind().(*kmsg.ShareGroupDescribeResponse)
	for _, id := range model.Once(req.GroupIDs) {
		g, err := s.describeShare(ctx, id)
		if err != nil {
			g = kmsg.NewShareGroupDescribeResponseGroup()
			g.GroupID, g.ErrorCode, g.ErrorMessage = id, code(err), model.ErrorMessage(err)
		}
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}

func (s *Service) describeShare(ctx context.Context, id string) (kmsg.ShareGroupDescribeResponseGroup, error) {
	if id == "" {
		return kmsg.ShareGroupDescribeResponseGroup{}, kerr.InvalidGroupID
	}
	return do(ctx, s, id, runtime.Alone, func(st *state, _ *runtime.Turn) (kmsg.ShareGroupDescribeResponseGroup, error) {
		g := st.shares[id]
		if g == nil {
			what := "Group " + id + " not found."
			if st.exists(id) {
				what = "Group " + id + " is not a share group."
			}
			return kmsg.ShareGroupDescribeResponseGroup{}, model.Explain(kerr.GroupIDNotFound, what)
		}
		return st.describeShare(g), nil
	})
}

func (st *state) describeShare(g *shareGroup) kmsg.ShareGroupDescribeResponseGroup {
	d := kmsg.NewShareGroupDescribeResponseGroup()
	d.GroupID, d.GroupState, d.GroupEpoch, d.AssignmentEpoch = g.id, g.stateName(), g.epoch, g.targetEpoch
	d.Assignor = assign.SimpleName
	for _, m := range g.sorted() {
		one := kmsg.NewShareGroupDescribeResponseGroupMember()
		one.MemberID, one.RackID, one.MemberEpoch = m.id, m.rack, m.epoch
		one.ClientID, one.ClientHost = m.clientID, m.clientHost
		one.SubscribedTopicNames = append([]string{}, m.topics...)
		for _, id := range m.assigned.topics() {
			if name, ok := st.topics.name(id); ok {
				one.Assignment.TopicPartitions = append(one.Assignment.TopicPartitions, kmsg.ShareGroupDescribeResponseGroupMemberAssignmentTopicPartition{
					TopicID: id, Topic: name, Partitions: m.assigned[id],
				})
			}
		}
		d.Members = append(d.Members, one)
	}
	return d
}
