package behaviour

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// coordinator waits until a group has its coordinator.
func (c *conn) coordinator(group string) {
	c.t.Helper()
	for range 100 {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKeys = []string{group}
		found := ask[*kmsg.FindCoordinatorResponse](c, 4, req).Coordinators[0]
		if found.ErrorCode == 0 {
			hb := kmsg.NewPtrHeartbeatRequest()
			hb.Group, hb.MemberID = group, "nobody"
			if ask[*kmsg.HeartbeatResponse](c, 4, hb).ErrorCode == kerr.UnknownMemberID.Code {
				return // loaded
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatalf("group %s has no coordinator", group)
}

func joinRequest(group, member, instance, protocol string, metadata []byte) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.ProtocolType = group, member, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 10_000, 60_000
	if instance != "" {
		req.InstanceID = &instance
	}
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = protocol, metadata
	req.Protocols = append(req.Protocols, p)
	return req
}

func (c *conn) join(version int16, group, member, instance, protocol string, metadata []byte) *kmsg.JoinGroupResponse {
	c.t.Helper()
	return ask[*kmsg.JoinGroupResponse](c, version, joinRequest(group, member, instance, protocol, metadata))
}

// member is a client in a group, on a connection of its own.
type member struct {
	*conn
	group, id, instance string
	generation          int32
}

func (n *node) member(group, instance string) *member {
	n.t.Helper()
	m := &member{conn: n.dial(), group: group, instance: instance}
	m.coordinator(group)
	return m
}

// rejoin sends a JoinGroup of the member; joined takes its answer.
func (m *member) rejoin(metadata string) (int32, *kmsg.JoinGroupRequest) {
	m.t.Helper()
	req := joinRequest(m.group, m.id, m.instance, "range", []byte(metadata))
	return m.send(9, req), req
}

func (m *member) joined(id int32, req *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
	m.t.Helper()
	resp := m.receive(id, req).(*kmsg.JoinGroupResponse)
	if resp.ErrorCode == 0 {
		m.id, m.generation = resp.MemberID, resp.Generation
	}
	return resp
}

// join joins, twice if the member has no id yet.
func (m *member) join(metadata string) *kmsg.JoinGroupResponse {
	m.t.Helper()
	resp := m.joined(m.rejoin(metadata))
	if resp.ErrorCode == kerr.MemberIDRequired.Code {
		m.id = resp.MemberID
		resp = m.joined(m.rejoin(metadata))
	}
	return resp
}

func (m *member) syncRequest(assignments ...string) *kmsg.SyncGroupRequest {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation = m.group, m.id, m.generation
	req.ProtocolType, req.Protocol = ptr("consumer"), ptr("range")
	if m.instance != "" {
		req.InstanceID = &m.instance
	}
	for kv := range slices.Chunk(assignments, 2) {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = kv[0], []byte(kv[1])
		req.GroupAssignment = append(req.GroupAssignment, a)
	}
	return req
}

func (m *member) sync(assignments ...string) *kmsg.SyncGroupResponse {
	m.t.Helper()
	return ask[*kmsg.SyncGroupResponse](m.conn, 5, m.syncRequest(assignments...))
}

func (m *member) heartbeat() int16 {
	m.t.Helper()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = m.group, m.id, m.generation
	if m.instance != "" {
		req.InstanceID = &m.instance
	}
	return ask[*kmsg.HeartbeatResponse](m.conn, 4, req).ErrorCode
}

func (m *member) commit(topic string, offset int64, metadata string) kmsg.OffsetCommitResponseTopicPartition {
	m.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = m.group, m.id, m.generation
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset, p.Metadata = offset, &metadata
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return ask[*kmsg.OffsetCommitResponse](m.conn, 8, req).Topics[0].Partitions[0]
}

// committed is what the group has for partition 0 of topic.
func (c *conn) committed(group, topic string) int64 {
	c.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.Partitions = topic, []int32{0}
	g.Topics = append(g.Topics, t)
	req.Groups = append(req.Groups, g)
	resp := ask[*kmsg.OffsetFetchResponse](c, 8, req).Groups[0]
	expect(c.t, "OffsetFetch", resp.ErrorCode, nil)
	return resp.Topics[0].Partitions[0].Offset
}

// two are a leader and a follower of a settled group.
func two(n *node, group string) (leader, follower *member) {
	n.t.Helper()
	a, b := n.member(group, ""), n.member(group, "")
	expect(n.t, "first join", a.join("a").ErrorCode, nil)
	expect(n.t, "first sync", a.sync(a.id, "all").ErrorCode, nil)
	b.id = b.joined(b.rejoin("b")).MemberID
	waiting, req := b.rejoin("b")
	for a.heartbeat() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	expect(n.t, "second join", a.join("a").ErrorCode, nil)
	expect(n.t, "follower's join", b.joined(waiting, req).ErrorCode, nil)
	settle(n, a, b)
	return a, b
}

// settle has both sync; the leader gives each the same.
func settle(n *node, leader, follower *member) {
	n.t.Helper()
	req := follower.syncRequest()
	waiting := follower.send(5, req)
	expect(n.t, "leader's sync", leader.sync(leader.id, "half", follower.id, "half").ErrorCode, nil)
	expect(n.t, "follower's sync", follower.receive(waiting, req).(*kmsg.SyncGroupResponse).ErrorCode, nil)
}

func TestBehaviour084FindCoordinatorMakesItsTopic(t *testing.T) {
	onNode(t, props{"offsets.topic.num.partitions": "50"}, func(n *node) {
		c := n.dial()
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKeys = []string{"g"}
		first := ask[*kmsg.FindCoordinatorResponse](c, 4, req).Coordinators[0]
		expect(t, "first question", first.ErrorCode, kerr.CoordinatorNotAvailable)
		same(t, "node of none", first.NodeID, -1)
		c.coordinator("g")
		found := ask[*kmsg.FindCoordinatorResponse](c, 4, req).Coordinators[0]
		if found.NodeID != 1 || found.Host != "node" || found.Port != 9092 {
			t.Errorf("coordinator is %+v", found)
		}
		meta := c.metadata(12, "__consumer_offsets")
		same(t, "partitions", len(meta[0].Partitions), 50)
		same(t, "internal", meta[0].IsInternal, true)
	})
}

// A group's records lie in partition abs(hash(group)) % 50 of __consumer_offsets.
func TestBehaviour084GroupsHaveTheirPartition(t *testing.T) {
	onNode(t, props{"offsets.topic.num.partitions": "50"}, func(n *node) {
		m := n.member("test-group", "")
		m.create("t", 1)
		m.generation = -1
		expect(t, "commit", m.commit("t", 7, "").ErrorCode, nil)
		var hash int32 // Java's String.hashCode
		for _, c := range "test-group" {
			hash = 31*hash + c
		}
		want := (hash & 0x7fffffff) % 50
		req := kmsg.NewPtrListOffsetsRequest()
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = "__consumer_offsets"
		for p := range int32(50) {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp = p, -1
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
		for _, p := range ask[*kmsg.ListOffsetsResponse](m.conn, 7, req).Topics[0].Partitions {
			if (p.Offset > 0) != (p.Partition == want) {
				t.Errorf("partition %d ends at %d; the group's is %d", p.Partition, p.Offset, want)
			}
		}
	})
}

func TestBehaviour085NewMembersGetAnID(t *testing.T) {
	onNode(t, nil, func(n *node) {
		m := n.member("g", "")
		first := m.conn.join(4, "g", "", "", "range", nil)
		expect(t, "join without an id", first.ErrorCode, kerr.MemberIDRequired)
		if !strings.HasPrefix(first.MemberID, "behaviour-") {
			t.Errorf("member id %q does not start with the client's", first.MemberID)
		}
		expect(t, "unknown id", m.conn.join(4, "g", "stranger", "", "range", nil).ErrorCode, kerr.UnknownMemberID)
		time.Sleep(11 * time.Second) // past the session timeout
		expect(t, "id that was not used in time", m.conn.join(4, "g", first.MemberID, "", "range", nil).ErrorCode, kerr.UnknownMemberID)
		m.id = m.conn.join(4, "g", "", "", "range", nil).MemberID
		got := m.conn.join(4, "g", m.id, "", "range", nil)
		expect(t, "id used in time", got.ErrorCode, nil)
		same(t, "generation", got.Generation, 1)
		same(t, "leader", got.LeaderID, m.id)
		// Before version 4 there is one step.
		expect(t, "old client", m.conn.join(3, "other", "", "", "range", nil).ErrorCode, nil)
	})
}

func TestBehaviour086FirstRebalanceWaits(t *testing.T) {
	onNode(t, props{"group.initial.rebalance.delay.ms": "3000"}, func(n *node) {
		a, b := n.member("g", ""), n.member("g", "")
		began := time.Now()
		a.id = a.joined(a.rejoin("a")).MemberID
		waitA, reqA := a.rejoin("a")
		time.Sleep(2 * time.Second)
		b.id = b.joined(b.rejoin("b")).MemberID
		waitB, reqB := b.rejoin("b")
		gotA, gotB := a.joined(waitA, reqA), b.joined(waitB, reqB)
		same(t, "wait, extended once", time.Since(began), 6*time.Second)
		same(t, "generation of the first", gotA.Generation, 1)
		same(t, "generation of the second", gotB.Generation, 1)
		same(t, "members that the leader sees", len(gotA.Members)+len(gotB.Members), 2)
	})
}

func TestBehaviour086FirstRebalanceIsCapped(t *testing.T) {
	onNode(t, props{"group.initial.rebalance.delay.ms": "3000"}, func(n *node) {
		began := time.Now()
		var waits []func()
		for i := range 6 {
			m := n.member("g", "")
			join := func() (int32, *kmsg.JoinGroupRequest) {
				req := joinRequest("g", m.id, "", "range", nil)
				req.RebalanceTimeoutMillis = 8000
				return m.send(9, req), req
			}
			m.id = m.joined(join()).MemberID
			id, req := join()
			waits = append(waits, func() { expect(t, "join", m.joined(id, req).ErrorCode, nil) })
			if i < 5 {
				time.Sleep(1500 * time.Millisecond)
			}
		}
		for _, wait := range waits {
			wait()
		}
		if passed := time.Since(began).Round(100 * time.Millisecond); passed != 8*time.Second {
			t.Errorf("waited %v, want the rebalance timeout of 8s", passed)
		}
	})
}

func TestBehaviour087FollowersMayAskAgain(t *testing.T) {
	onNode(t, nil, func(n *node) {
		leader, follower := two(n, "g")
		again := follower.join("b")
		expect(t, "same metadata", again.ErrorCode, nil)
		same(t, "generation", again.Generation, leader.generation)
		same(t, "leader goes on", leader.heartbeat(), 0)
		id, req := leader.rejoin("a") // a leader's has everybody come again
		time.Sleep(time.Second)
		expect(t, "follower's heartbeat", follower.heartbeat(), kerr.RebalanceInProgress)
		was := leader.generation
		expect(t, "follower", follower.join("b").ErrorCode, nil)
		same(t, "next generation", leader.joined(id, req).Generation, was+1)
		settle(n, leader, follower)
		other, otherReq := follower.rejoin("other") // so does other metadata
		time.Sleep(time.Second)
		expect(t, "leader's heartbeat", leader.heartbeat(), kerr.RebalanceInProgress)
		leader.join("a")
		same(t, "generation after that", follower.joined(other, otherReq).Generation, was+2)
	})
}

func TestBehaviour088LostJoinAnswer(t *testing.T) {
	onNode(t, nil, func(n *node) {
		m := n.member("g", "")
		first := m.join("a")
		again := m.join("a") // nobody has synced yet
		expect(t, "again", again.ErrorCode, nil)
		same(t, "generation", again.Generation, first.Generation)
		same(t, "members for the leader", len(again.Members), 1)
		same(t, "generation with other metadata", m.join("b").Generation, first.Generation+1)
	})
}

func TestBehaviour089HeartbeatWhileOthersGather(t *testing.T) {
	onNode(t, nil, func(n *node) {
		leader, follower := two(n, "g")
		id, req := leader.rejoin("a")
		for range 5 { // 40 s, four sessions
			time.Sleep(8 * time.Second)
			expect(t, "heartbeat", follower.heartbeat(), kerr.RebalanceInProgress)
		}
		expect(t, "it is still a member", follower.join("b").ErrorCode, nil)
		got := leader.joined(id, req)
		same(t, "members", len(got.Members), 2)
	})
}

func TestBehaviour089SessionsEnd(t *testing.T) {
	onNode(t, nil, func(n *node) {
		leader, follower := two(n, "g")
		for range 3 {
			time.Sleep(4 * time.Second)
			leader.heartbeat()
		}
		expect(t, "leader", leader.heartbeat(), kerr.RebalanceInProgress)
		expect(t, "silent follower", follower.heartbeat(), kerr.UnknownMemberID)
		same(t, "members left", len(leader.join("a").Members), 1)
	})
}

func TestBehaviour090MembersMustSync(t *testing.T) {
	onNode(t, nil, func(n *node) {
		leader, follower := two(n, "g")
		id, req := leader.rejoin("a")
		time.Sleep(time.Second)
		follower.join("b")
		leader.joined(id, req)
		// The leader syncs, the follower only beats.
		expect(t, "leader's sync", leader.sync(leader.id, "x", follower.id, "y").ErrorCode, nil)
		last := int16(0)
		for range 13 { // 65 s; the rebalance timeout is 60
			time.Sleep(5 * time.Second)
			leader.heartbeat()
			last = follower.heartbeat()
		}
		expect(t, "member that did not sync", last, kerr.UnknownMemberID)
		expect(t, "leader", leader.heartbeat(), kerr.RebalanceInProgress)
	})
}

func TestBehaviour091MembersLeftOutGetNothing(t *testing.T) {
	onNode(t, nil, func(n *node) {
		leader, follower := two(n, "g")
		id, req := leader.rejoin("a")
		time.Sleep(time.Second)
		follower.join("b")
		leader.joined(id, req)
		sync := follower.syncRequest()
		waiting := follower.send(5, sync)
		same(t, "leader's", string(leader.sync(leader.id, "mine").MemberAssignment), "mine")
		got := follower.receive(waiting, sync).(*kmsg.SyncGroupResponse)
		expect(t, "follower's sync", got.ErrorCode, nil)
		same(t, "bytes of the follower", len(got.MemberAssignment), 0)
	})
}

func TestBehaviour092StaticMembersComeBack(t *testing.T) {
	onNode(t, nil, func(n *node) {
		old := n.member("g", "i1")
		expect(t, "join without an id", old.join("a").ErrorCode, nil) // in one step
		expect(t, "sync", old.sync(old.id, "all").ErrorCode, nil)
		fresh := n.member("g", "i1")
		got := fresh.join("a")
		expect(t, "second process", got.ErrorCode, nil)
		same(t, "generation", got.Generation, old.generation)
		same(t, "skips the assignment", got.SkipAssignment, true)
		if got.MemberID == old.id {
			t.Error("member id is the old one")
		}
		same(t, "assignment is kept", string(fresh.sync().MemberAssignment), "all")
		expect(t, "old process", old.heartbeat(), kerr.FencedInstanceID)
		expect(t, "old process joins", old.join("a").ErrorCode, kerr.FencedInstanceID)
		expect(t, "fresh process", fresh.heartbeat(), nil)
		stranger := n.member("g", "i2")
		stranger.id = "made-up"
		expect(t, "instance that is not there", stranger.heartbeat(), kerr.UnknownMemberID)
		// Clients before version 9 take themselves for followers.
		v5 := fresh.conn.join(5, "g", "", "i1", "range", []byte("a"))
		expect(t, "version 5", v5.ErrorCode, nil)
		if v5.LeaderID == v5.MemberID || len(v5.Members) != 0 {
			t.Errorf("an old client that came back leads: %+v", v5)
		}
	})
}

func TestBehaviour097GroupsHaveASize(t *testing.T) {
	onNode(t, props{"group.max.size": "1"}, func(n *node) {
		a, b := n.member("g", ""), n.member("g", "")
		expect(t, "first", a.join("a").ErrorCode, nil)
		expect(t, "sync", a.sync(a.id, "all").ErrorCode, nil)
		got := b.join("b")
		expect(t, "second", got.ErrorCode, kerr.GroupMaxSizeReached)
		expect(t, "first goes on", a.heartbeat(), nil)
	})
}

func TestBehaviour098CommitMetadataHasALimit(t *testing.T) {
	onNode(t, nil, func(n *node) {
		m := n.member("g", "")
		m.create("t", 1)
		m.generation = -1
		expect(t, "4096 bytes", m.commit("t", 1, strings.Repeat("x", 4096)).ErrorCode, nil)
		expect(t, "4097 bytes", m.commit("t", 2, strings.Repeat("x", 4097)).ErrorCode, kerr.OffsetMetadataTooLarge)
		same(t, "offset", m.committed("g", "t"), 1)
		expect(t, "unknown topic", m.commit("nowhere", 1, "").ErrorCode, kerr.UnknownTopicOrPartition)
	})
}

func TestBehaviour100OffsetsExpire(t *testing.T) {
	onNode(t, props{"offsets.retention.minutes": "60", "offsets.retention.check.interval.ms": "60000"}, func(n *node) {
		m := n.member("g", "")
		m.create("t", 1)
		expect(t, "join", m.join("\x00\x00\x00\x00\x00\x01\x00\x01t\xff\xff\xff\xff").ErrorCode, nil)
		expect(t, "sync", m.sync(m.id, "").ErrorCode, nil)
		expect(t, "commit", m.commit("t", 5, "").ErrorCode, nil)
		for range 20 * 60 { // two hours, in which the group has its member
			time.Sleep(6 * time.Second)
			if code := m.heartbeat(); code != 0 {
				t.Fatalf("heartbeat: %v", kerr.ErrorForCode(code))
			}
		}
		same(t, "while it is subscribed", m.committed("g", "t"), 5)
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = "g"
		lm := kmsg.NewLeaveGroupRequestMember()
		lm.MemberID = m.id
		leave.Members = append(leave.Members, lm)
		expect(t, "leave", ask[*kmsg.LeaveGroupResponse](m.conn, 5, leave).ErrorCode, nil)
		time.Sleep(55 * time.Minute)
		same(t, "before its time", n.dial().committed("g", "t"), 5)
		time.Sleep(10 * time.Minute)
		same(t, "an hour after the group became empty", n.dial().committed("g", "t"), -1)
	})
}

func TestBehaviour100TopicsOfNobodyExpire(t *testing.T) {
	onNode(t, props{"offsets.retention.minutes": "1", "offsets.retention.check.interval.ms": "10000"}, func(n *node) {
		m := n.member("g", "")
		m.create("t", 1)
		m.create("u", 1)
		expect(t, "join", m.join(subscription()).ErrorCode, nil) // to t
		expect(t, "sync", m.sync(m.id, "").ErrorCode, nil)
		expect(t, "commit", m.commit("t", 5, "").ErrorCode, nil)
		expect(t, "commit", m.commit("u", 5, "").ErrorCode, nil)
		for range 30 {
			time.Sleep(6 * time.Second)
			expect(t, "heartbeat", m.heartbeat(), nil)
		}
		same(t, "to which a member is subscribed", m.committed("g", "t"), 5)
		same(t, "to which none is", m.committed("g", "u"), -1)
	})
}

func TestBehaviour101AdminsCommitToEmptyGroups(t *testing.T) {
	onNode(t, nil, func(n *node) {
		admin := n.member("g", "")
		admin.create("t", 1)
		admin.generation = -1
		expect(t, "no group yet", admin.commit("t", 3, "").ErrorCode, nil)
		m := n.member("g", "")
		m.join("a")
		m.sync(m.id, "all")
		expect(t, "group with members", admin.commit("t", 4, "").ErrorCode, kerr.UnknownMemberID)
		expect(t, "its member", m.commit("t", 5, "").ErrorCode, nil)
		m.generation++
		expect(t, "other generation", m.commit("t", 6, "").ErrorCode, kerr.IllegalGeneration)
		same(t, "offset", m.committed("g", "t"), 5)
		time.Sleep(time.Minute) // its session ends
		expect(t, "empty group", admin.commit("t", 7, "").ErrorCode, nil)
		same(t, "offset", admin.committed("g", "t"), 7)
	})
}
