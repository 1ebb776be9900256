package group

import (
	"context"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConsumerGroupDescribe describes consumer groups. Authorized operations are left to
// whoever knows them.
func (s *Service) ConsumerGroupDescribe(ctx context.Context, _ Caller, req *kmsg.ConsumerGroupDescribeRequest) *kmsg.ConsumerGroupDescribeResponse {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	for _, id := range model.Once(req.Groups) {
		g, err := s.describeConsumer(ctx, id)
		if err != nil {
			g = kmsg.NewConsumerGroupDescribeResponseGroup()
			g.Group, g.ErrorCode, g.ErrorMessage = id, code(err), model.ErrorMessage(err)
		}
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}

func (s *Service) describeConsumer(ctx context.Context, id string) (kmsg.ConsumerGroupDescribeResponseGroup, error) {
	if id == "" {
		return kmsg.ConsumerGroupDescribeResponseGroup{}, kerr.InvalidGroupID
	}
	return do(ctx, s, id, runtime.Alone, func(st *state, _ *runtime.Turn) (kmsg.ConsumerGroupDescribeResponseGroup, error) {
		g := st.consumers[id]
		if g == nil {
			what := "Group " + id + " not found."
			if st.exists(id) {
				what = "Group " + id + " is not a consumer group."
			}
			return kmsg.ConsumerGroupDescribeResponseGroup{}, model.Explain(kerr.GroupIDNotFound, what)
		}
		return st.describeConsumer(g), nil
	})
}

func (st *state) describeConsumer(g *consumerGroup) kmsg.ConsumerGroupDescribeResponseGroup {
	d := kmsg.NewConsumerGroupDescribeResponseGroup()
	d.Group, d.State, d.Epoch, d.AssignmentEpoch = g.id, g.stateName(), g.epoch, g.targetEpoch
	d.AssignorName = g.chooseAssignor(st.assignors(), nil, nil).Name()
	for _, m := range g.sorted() {
		one := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		one.MemberID, one.InstanceID, one.RackID, one.MemberEpoch = m.id, m.instanceID, m.rack, m.epoch
		one.ClientID, one.ClientHost = m.clientID, m.clientHost
		one.SubscribedTopics, one.SubscribedTopicRegex = append([]string{}, m.topics...), &m.pattern
		one.Assignment.TopicPartitions = st.describeParts(m.assigned)
		one.TargetAssignment.TopicPartitions = st.describeParts(g.target[m.id])
		if one.MemberType = 1; m.classic != nil {
			one.MemberType = 0
		}
		d.Members = append(d.Members, one)
	}
	return d
}

func (st *state) describeParts(p parts) []kmsg.AssignmentTopicPartition {
	described := make([]kmsg.AssignmentTopicPartition, 0, len(p))
	for _, id := range p.topics() {
		if name, ok := st.topics.name(id); ok {
			described = append(described, kmsg.AssignmentTopicPartition{TopicID: id, Topic: name, Partitions: p[id]})
		}
	}
	return described
}
