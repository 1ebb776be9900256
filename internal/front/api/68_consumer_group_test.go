package api

import (
	"context"
	"testing"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/group"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (g *fakeGroups) ConsumerGroupHeartbeat(_ context.Context, c group.Caller, req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	g.caller, g.asked = c, req
	resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	resp.MemberEpoch = 7
	return resp
}

func (g *fakeGroups) ConsumerGroupDescribe(_ context.Context, _ group.Caller, req *kmsg.ConsumerGroupDescribeRequest) *kmsg.ConsumerGroupDescribeResponse {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	for _, name := range req.Groups {
		rg := kmsg.NewConsumerGroupDescribeResponseGroup()
		if rg.Group = name; name == "bad" {
			rg.ErrorCode = kerr.GroupIDNotFound.Code
		}
		resp.Groups = append(resp.Groups, rg)
	}
	return resp
}

// Consumer groups are served if the cluster has agreed on group.version 1 and the broker's
// protocols name them. What a heartbeat leaves out, or leaves empty, comes to the
// coordinator as that.
func TestConsumerGroupsAreServed(t *testing.T) {
	d := newDesk(t)
	beat := &kmsg.ConsumerGroupHeartbeatRequest{Group: "g", MemberID: "m", RebalanceTimeoutMillis: -1, Topics: []kmsg.ConsumerGroupHeartbeatRequestTopic{}}
	describe := &kmsg.ConsumerGroupDescribeRequest{Groups: []string{"g", "bad"}, IncludeAuthorizedOperations: true}
	refused := func(when string) {
		t.Helper()
		if got := ask[*kmsg.ConsumerGroupHeartbeatResponse](d, 1, beat); got.ErrorCode != kerr.UnsupportedVersion.Code {
			t.Errorf("%s: heartbeat %+v", when, got)
		}
		if got := ask[*kmsg.ConsumerGroupDescribeResponse](d, 1, describe); len(got.Groups) != 2 || got.Groups[0].ErrorCode != kerr.UnsupportedVersion.Code {
			t.Errorf("%s: description %+v", when, got)
		}
	}
	refused("group.version is 0")
	d.apply(metadata.SetFeature{Name: groupVersion, Level: 1})
	if got := ask[*kmsg.ConsumerGroupHeartbeatResponse](d, 1, beat); got.ErrorCode != 0 || got.MemberEpoch != 7 {
		t.Errorf("heartbeat %+v", got)
	}
	asked := d.groups.asked.(*kmsg.ConsumerGroupHeartbeatRequest)
	if asked.Topics == nil || asked.SubscribedTopicNames != nil || asked.SubscribedTopicRegex != nil || d.groups.caller.ClientHost == "" {
		t.Errorf("the coordinator was asked %+v by %+v", asked, d.groups.caller)
	}
	got := ask[*kmsg.ConsumerGroupDescribeResponse](d, 1, describe).Groups
	if got[0].AuthorizedOperations != 3400 || got[1].AuthorizedOperations != -1<<31 {
		t.Errorf("operations %d, %d", got[0].AuthorizedOperations, got[1].AuthorizedOperations)
	}
	d.settings["group.coordinator.rebalance.protocols"] = "classic"
	refused("the protocols lack consumer")
}
