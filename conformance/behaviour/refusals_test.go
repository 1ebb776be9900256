package behaviour

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a group refuses, by the words that clients act on.
func TestGroupsRefuse(t *testing.T) {
	onNode(t, nil, func(n *node) {
		m := n.member("g", "")
		m.create("t", 1)
		join := func(change func(*kmsg.JoinGroupRequest)) int16 {
			req := joinRequest("g", "", "", "range", nil)
			change(req)
			return ask[*kmsg.JoinGroupResponse](m.conn, 3, req).ErrorCode
		}
		for _, w := range []struct {
			what   string
			change func(*kmsg.JoinGroupRequest)
			want   error
		}{
			{"no group", func(r *kmsg.JoinGroupRequest) { r.Group = "" }, kerr.InvalidGroupID},
			{"short session", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 5999 }, kerr.InvalidSessionTimeout},
			{"long session", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1800_001 }, kerr.InvalidSessionTimeout},
			{"no protocols", func(r *kmsg.JoinGroupRequest) { r.Protocols = nil }, kerr.InconsistentGroupProtocol},
			{"no type", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "" }, kerr.InconsistentGroupProtocol},
			{"unknown member", func(r *kmsg.JoinGroupRequest) { r.MemberID = "x" }, kerr.UnknownMemberID},
			{"unknown member of no group", func(r *kmsg.JoinGroupRequest) { r.MemberID, r.Group = "x", "none" }, kerr.UnknownMemberID},
		} {
			expect(t, w.what, join(w.change), w.want)
		}
		expect(t, "join", m.join("a").ErrorCode, nil)
		expect(t, "other protocol", join(func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Name = "other" }), kerr.InconsistentGroupProtocol)
		expect(t, "other type", join(func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" }), kerr.InconsistentGroupProtocol)

		sync := func(change func(*kmsg.SyncGroupRequest)) int16 {
			req := m.syncRequest(m.id, "all")
			change(req)
			return ask[*kmsg.SyncGroupResponse](m.conn, 5, req).ErrorCode
		}
		expect(t, "sync of no group", sync(func(r *kmsg.SyncGroupRequest) { r.Group = "none" }), kerr.UnknownMemberID)
		expect(t, "sync of a stranger", sync(func(r *kmsg.SyncGroupRequest) { r.MemberID = "x" }), kerr.UnknownMemberID)
		expect(t, "sync of another generation", sync(func(r *kmsg.SyncGroupRequest) { r.Generation = 9 }), kerr.IllegalGeneration)
		expect(t, "sync of another protocol", sync(func(r *kmsg.SyncGroupRequest) { r.Protocol = ptr("other") }), kerr.InconsistentGroupProtocol)
		expect(t, "sync without a protocol", sync(func(r *kmsg.SyncGroupRequest) { r.Protocol = nil }), kerr.InconsistentGroupProtocol)
		expect(t, "commit before the sync", m.commit("t", 1, "").ErrorCode, kerr.RebalanceInProgress)
		expect(t, "sync", m.sync(m.id, "all").ErrorCode, nil)

		beat := func(group, id string, generation int32) int16 {
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group, req.MemberID, req.Generation = group, id, generation
			return ask[*kmsg.HeartbeatResponse](m.conn, 4, req).ErrorCode
		}
		expect(t, "heartbeat of no group", beat("", m.id, 1), kerr.InvalidGroupID)
		expect(t, "heartbeat of an unknown group", beat("none", m.id, 1), kerr.UnknownMemberID)
		expect(t, "heartbeat of another generation", beat("g", m.id, 2), kerr.IllegalGeneration)

		del := kmsg.NewPtrDeleteGroupsRequest()
		del.Groups = []string{"g", "none"}
		deleted := ask[*kmsg.DeleteGroupsResponse](m.conn, 2, del).Groups
		expect(t, "delete a group with members", deleted[0].ErrorCode, kerr.NonEmptyGroup)
		expect(t, "delete an unknown group", deleted[1].ErrorCode, kerr.GroupIDNotFound)
		describe := kmsg.NewPtrDescribeGroupsRequest()
		describe.Groups = []string{"none"}
		for version, want := range map[int16]error{5: nil, 6: kerr.GroupIDNotFound} {
			got := ask[*kmsg.DescribeGroupsResponse](m.conn, version, describe).Groups[0]
			expect(t, "describe an unknown group", got.ErrorCode, want)
			same(t, "its state", got.State, "Dead")
		}
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = "g"
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: "x"}, {MemberID: m.id}}
		left := ask[*kmsg.LeaveGroupResponse](m.conn, 5, leave)
		expect(t, "leave", left.ErrorCode, nil)
		expect(t, "stranger leaves", left.Members[0].ErrorCode, kerr.UnknownMemberID)
		expect(t, "member leaves", left.Members[1].ErrorCode, nil)
		same(t, "offset that nobody committed", m.committed("none", "t"), -1)
	})
}

// Topics by ids that are not there.
func TestUnknownIDs(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.coordinator("g")
		nobody := [16]byte{9}
		fetch := ask[*kmsg.FetchResponse](c, 18, partitions(fetchMore(0, -1), "", nobody, 0))
		expect(t, "Fetch", fetch.Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicID)
		same(t, "its id", fetch.Topics[0].TopicID, nobody)
		meta := kmsg.NewPtrMetadataRequest()
		meta.Topics = []kmsg.MetadataRequestTopic{{TopicID: nobody}}
		got := ask[*kmsg.MetadataResponse](c, 13, meta).Topics[0]
		expect(t, "Metadata", got.ErrorCode, kerr.UnknownTopicID)
		same(t, "no name", got.Topic == nil, true)
		commit := kmsg.NewPtrOffsetCommitRequest()
		commit.Group, commit.Generation = "g", -1
		commit.Topics = []kmsg.OffsetCommitRequestTopic{{TopicID: nobody, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}
		expect(t, "OffsetCommit", ask[*kmsg.OffsetCommitResponse](c, 10, commit).Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicID)
		del := kmsg.NewPtrDeleteTopicsRequest()
		del.Topics, del.TimeoutMillis = []kmsg.DeleteTopicsRequestTopic{{TopicID: nobody}}, 5000
		expect(t, "DeleteTopics", ask[*kmsg.DeleteTopicsResponse](c, 6, del).Topics[0].ErrorCode, kerr.UnknownTopicID)
		offsets := kmsg.NewPtrOffsetFetchRequest()
		offsets.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", MemberEpoch: -1,
			Topics: []kmsg.OffsetFetchRequestGroupTopic{{TopicID: nobody, Partitions: []int32{0}}}}}
		expect(t, "OffsetFetch", ask[*kmsg.OffsetFetchResponse](c, 10, offsets).Groups[0].Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicID)
		epoch := kmsg.NewPtrOffsetForLeaderEpochRequest()
		epoch.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "nowhere", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}
		expect(t, "OffsetForLeaderEpoch", ask[*kmsg.OffsetForLeaderEpochResponse](c, 4, epoch).Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
	})
}
