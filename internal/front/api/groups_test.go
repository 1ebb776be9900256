package api

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/coord/group"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var (
	_ Groups       = (*group.Service)(nil)
	_ Controller   = (*controller.Service)(nil)
	_ wire.Handler = (*Server)(nil)
)

// OffsetCommit answers each partition of a commit with its own number as the error, so
// that a test sees what came from the coordinator.
func (g *fakeGroups) OffsetCommit(_ context.Context, c group.Caller, req *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse {
	g.caller, g.asked = c, req
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, t := range slices.Backward(req.Topics) {
		rt := kmsg.OffsetCommitResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: int16(p.Offset)})
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (g *fakeGroups) OffsetFetch(_ context.Context, _ group.Caller, req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
	g.asked = req
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	for _, q := range req.Groups {
		a := kmsg.NewOffsetFetchResponseGroup()
		a.Group = q.Group
		if q.Group == "bad" {
			a.ErrorCode = kerr.NotCoordinator.Code
			resp.Groups = append(resp.Groups, a)
			continue
		}
		topics := q.Topics
		if topics == nil {
			topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "a", Partitions: []int32{0}}, {Topic: "deleted", Partitions: []int32{0}}}
		}
		for _, t := range topics {
			rt := kmsg.OffsetFetchResponseGroupTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata = p, int64(100+p), 4, kmsg.StringPtr("m")
				rt.Partitions = append(rt.Partitions, rp)
			}
			a.Topics = append(a.Topics, rt)
		}
		resp.Groups = append(resp.Groups, a)
	}
	return resp
}

func (g *fakeGroups) OffsetDelete(_ context.Context, _ group.Caller, req *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse {
	g.asked = req
	resp := kmsg.NewPtrOffsetDeleteResponse()
	if req.Group == "bad" {
		resp.ErrorCode = kerr.GroupIDNotFound.Code
		return resp
	}
	for _, t := range req.Topics {
		rt := kmsg.OffsetDeleteResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition, ErrorCode: 86})
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (g *fakeGroups) DeleteGroups(_ context.Context, _ group.Caller, req *kmsg.DeleteGroupsRequest) *kmsg.DeleteGroupsResponse {
	resp := kmsg.NewPtrDeleteGroupsResponse()
	for _, name := range req.Groups {
		resp.Groups = append(resp.Groups, kmsg.DeleteGroupsResponseGroup{Group: name})
	}
	return resp
}

func (g *fakeGroups) DescribeGroups(_ context.Context, _ group.Caller, req *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse {
	resp := kmsg.NewPtrDescribeGroupsResponse()
	for _, name := range req.Groups {
		rg := kmsg.NewDescribeGroupsResponseGroup()
		if rg.Group = name; name == "bad" {
			rg.ErrorCode = kerr.NotCoordinator.Code
		}
		resp.Groups = append(resp.Groups, rg)
	}
	return resp
}

// SyncGroup keeps what it was given, as the coordinator does.
func (g *fakeGroups) SyncGroup(_ context.Context, _ group.Caller, req *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse {
	if g.asked == nil {
		g.asked = req
	}
	return kmsg.NewPtrSyncGroupResponse()
}

func (g *fakeGroups) Heartbeat(context.Context, group.Caller, *kmsg.HeartbeatRequest) *kmsg.HeartbeatResponse {
	return kmsg.NewPtrHeartbeatResponse()
}

func TestOffsetCommit(t *testing.T) {
	for version := int16(2); version <= 10; version++ {
		d := newDesk(t)
		d.topic("a", 1, []int32{1}, []int32{1})
		d.topic("b", 2, []int32{1})
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.MemberID = "g", "m"
		for _, c := range []struct {
			name       string
			id         byte
			partitions []int32
		}{{"a", 1, []int32{1, 7, 0}}, {"gone", 9, []int32{0}}, {"b", 2, []int32{0}}} {
			rt := kmsg.OffsetCommitRequestTopic{Topic: c.name, TopicID: model.ID{c.id}}
			for _, p := range c.partitions {
				rp := kmsg.NewOffsetCommitRequestTopicPartition()
				rp.Partition, rp.Offset = p, int64(p+10)
				rt.Partitions = append(rt.Partitions, rp)
			}
			req.Topics = append(req.Topics, rt)
		}
		resp := ask[*kmsg.OffsetCommitResponse](d, version, req)
		var got []string
		for i, rt := range resp.Topics {
			for _, p := range rt.Partitions {
				got = append(got, fmt.Sprint(i, " ", p.Partition, ":", p.ErrorCode))
			}
		}
		want := []string{"0 1:11", "0 7:3", "0 0:10", "1 0:3", "2 0:10"}
		if version >= 10 {
			want[3] = "1 0:100" // an id that nobody knows is another error than a name
		}
		if !slices.Equal(got, want) {
			t.Errorf("v%d: %q, want %q", version, got, want)
		}
		if version >= 10 && resp.Topics[2].TopicID != (model.ID{2}) {
			t.Errorf("v%d: ids %+v", version, resp.Topics)
		}
		if asked := d.groups.asked.(*kmsg.OffsetCommitRequest); len(asked.Topics) != 2 || asked.Topics[1].Topic != "b" || asked.Version != version {
			t.Errorf("v%d: coordinator was asked %+v", version, asked)
		}
		if d.groups.caller != (group.Caller{ClientID: "tester", ClientHost: "/pipe"}) {
			t.Errorf("v%d: caller %+v", version, d.groups.caller)
		}
	}
}

func TestOffsetCommitOfNothingKnown(t *testing.T) {
	d := newDesk(t)
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "gone", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}
	if resp := ask[*kmsg.OffsetCommitResponse](d, 8, req); resp.Topics[0].Partitions[0].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("%+v", resp)
	}
	if d.groups.asked != nil {
		t.Error("the coordinator was asked about nothing")
	}
}

// The field that has members fenced reaches the coordinator (0016-live-reset.md).
func TestOffsetCommitThatFences(t *testing.T) {
	for version := int16(8); version <= 10; version++ {
		d := newDesk(t)
		d.topic("a", 1, []int32{1})
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Topics = "g", []kmsg.OffsetCommitRequestTopic{{Topic: "a", TopicID: model.ID{1}, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}
		req.UnknownTags.Set(model.TagFenceMembers, model.FenceMembers)
		ask[*kmsg.OffsetCommitResponse](d, version, req)
		var got []byte
		d.groups.asked.(*kmsg.OffsetCommitRequest).UnknownTags.Each(func(tag uint32, v []byte) {
			if tag == model.TagFenceMembers {
				got = v
			}
		})
		if !slices.Equal(got, model.FenceMembers) {
			t.Errorf("v%d: the coordinator got %v", version, got)
		}
	}
}

func TestOffsetFetchOfOneGroup(t *testing.T) {
	for version := int16(1); version <= 7; version++ {
		d := newDesk(t)
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Group, req.Topics = "g", []kmsg.OffsetFetchRequestTopic{{Topic: "a", Partitions: []int32{0, 2}}}
		req.RequireStable = true
		resp := ask[*kmsg.OffsetFetchResponse](d, version, req)
		if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 2 {
			t.Fatalf("v%d: %+v", version, resp)
		}
		p := resp.Topics[0].Partitions[1]
		if p.Partition != 2 || p.Offset != 102 || *p.Metadata != "m" || version >= 5 && p.LeaderEpoch != 4 {
			t.Errorf("v%d: %+v", version, p)
		}
		if stable := d.groups.asked.(*kmsg.OffsetFetchRequest).RequireStable; stable != (version >= 7) {
			t.Errorf("v%d: stable is %v", version, stable)
		}
		if version >= 2 {
			req.Topics = nil
			if resp = ask[*kmsg.OffsetFetchResponse](d, version, req); len(resp.Topics) != 2 {
				t.Errorf("v%d all: %+v", version, resp.Topics)
			}
		}
		req.Group, req.Topics = "bad", []kmsg.OffsetFetchRequestTopic{{Topic: "a", Partitions: []int32{0}}}
		resp = ask[*kmsg.OffsetFetchResponse](d, version, req)
		if version >= 2 && (resp.ErrorCode != kerr.NotCoordinator.Code || len(resp.Topics) != 0) {
			t.Errorf("v%d error: %+v", version, resp)
		}
		if version == 1 {
			if p := resp.Topics[0].Partitions[0]; p.ErrorCode != kerr.NotCoordinator.Code || p.Offset != -1 {
				t.Errorf("v1 error: %+v", p)
			}
		}
	}
}

func TestOffsetFetchOfGroups(t *testing.T) {
	for version := int16(8); version <= 10; version++ {
		d := newDesk(t)
		d.topic("a", 1, []int32{1})
		req := kmsg.NewPtrOffsetFetchRequest()
		for _, g := range []string{"g", "bad", "all"} {
			q := kmsg.NewOffsetFetchRequestGroup()
			q.Group = g
			if g != "all" {
				q.Topics = []kmsg.OffsetFetchRequestGroupTopic{
					{Topic: "deleted", TopicID: model.ID{9}, Partitions: []int32{3}},
					{Topic: "a", TopicID: model.ID{1}, Partitions: []int32{0}}}
			}
			req.Groups = append(req.Groups, q)
		}
		resp := ask[*kmsg.OffsetFetchResponse](d, version, req)
		if len(resp.Groups) != 3 || resp.Groups[1].ErrorCode != kerr.NotCoordinator.Code || len(resp.Groups[1].Topics) != 0 {
			t.Fatalf("v%d: %+v", version, resp.Groups)
		}
		one, all := resp.Groups[0].Topics, resp.Groups[2].Topics
		if len(one) != 2 {
			t.Fatalf("v%d: %+v", version, one)
		}
		if version < 10 {
			if one[1].Topic != "a" || one[1].Partitions[0].Offset != 100 || len(all) != 2 {
				t.Errorf("v%d: %+v, all %+v", version, one, all)
			}
			continue
		}
		if one[0].TopicID != (model.ID{1}) || one[0].Partitions[0].Offset != 100 {
			t.Errorf("v10 known: %+v", one[0])
		}
		if p := one[1].Partitions[0]; one[1].TopicID != (model.ID{9}) || p.Partition != 3 || p.ErrorCode != kerr.UnknownTopicID.Code || p.Offset != -1 {
			t.Errorf("v10 unknown: %+v", one[1])
		}
		if len(all) != 1 || all[0].TopicID != (model.ID{1}) {
			t.Errorf("v10 all: %+v, want only what still has an id", all)
		}
	}
}

func TestOffsetDelete(t *testing.T) {
	d := newDesk(t)
	d.topic("a", 1, []int32{1})
	req := &kmsg.OffsetDeleteRequest{Group: "g", Topics: []kmsg.OffsetDeleteRequestTopic{
		{Topic: "gone", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}},
		{Topic: "a", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 5}, {Partition: 0}}}}}
	resp := ask[*kmsg.OffsetDeleteResponse](d, 0, req)
	var codes []int16
	for _, rt := range resp.Topics {
		for _, p := range rt.Partitions {
			codes = append(codes, p.ErrorCode)
		}
	}
	if !slices.Equal(codes, []int16{3, 3, 86}) {
		t.Errorf("codes %v", codes)
	}
	req.Group, req.Topics = "bad", req.Topics[:1]
	if resp = ask[*kmsg.OffsetDeleteResponse](d, 0, req); resp.ErrorCode != kerr.GroupIDNotFound.Code {
		t.Errorf("bad group: %+v", resp)
	}
}

func TestDeleteAndDescribeGroups(t *testing.T) {
	d := newDesk(t)
	del := ask[*kmsg.DeleteGroupsResponse](d, 2, &kmsg.DeleteGroupsRequest{Groups: []string{"x", "y", "x"}})
	if len(del.Groups) != 2 || del.Groups[0].Group != "x" || del.Groups[1].Group != "y" {
		t.Errorf("deleted %+v", del.Groups)
	}
	req := &kmsg.DescribeGroupsRequest{Groups: []string{"g", "bad"}, IncludeAuthorizedOperations: true}
	got := ask[*kmsg.DescribeGroupsResponse](d, 3, req).Groups
	if got[0].AuthorizedOperations != 3400 || got[1].AuthorizedOperations != -1<<31 {
		t.Errorf("operations %d, %d", got[0].AuthorizedOperations, got[1].AuthorizedOperations)
	}
}

func TestSyncGroupNeedsItsProtocol(t *testing.T) {
	d := newDesk(t)
	for version := int16(0); version <= 5; version++ {
		want := int16(0)
		if version >= 5 {
			want = kerr.InconsistentGroupProtocol.Code
		}
		if resp := ask[*kmsg.SyncGroupResponse](d, version, kmsg.NewPtrSyncGroupRequest()); resp.ErrorCode != want {
			t.Errorf("v%d: error %d, want %d", version, resp.ErrorCode, want)
		}
	}
}

// What the coordinator keeps of a request must not change with the frame's memory,
// which the next request of the connection uses again.
func TestAssignmentsOutliveTheirFrame(t *testing.T) {
	d := newDesk(t)
	sync := func(fill byte) *kmsg.SyncGroupRequest {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = "m", slices.Repeat([]byte{fill}, 1000)
		req := kmsg.NewPtrSyncGroupRequest()
		req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{a}
		return req
	}
	ask[*kmsg.SyncGroupResponse](d, 4, sync(1))
	for range 10 {
		ask[*kmsg.SyncGroupResponse](d, 4, sync(2))
	}
	kept := d.groups.asked.(*kmsg.SyncGroupRequest).GroupAssignment[0].MemberAssignment
	if !slices.Equal(kept, slices.Repeat([]byte{1}, 1000)) {
		t.Error("the assignment changed after its request")
	}
}
