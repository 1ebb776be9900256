package behaviour

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumer is a member of a consumer group (KIP-848), on a connection of its own.
type consumer struct {
	*conn
	group, id string
	epoch     int32
	names     map[[16]byte]string // of the topics that it may hear of
}

// consumer is a member that has not joined yet. It knows the topics of these names.
func (n *node) consumer(group, id string, topics ...string) *consumer {
	n.t.Helper()
	m := &consumer{conn: n.dial(), group: group, id: id, names: map[[16]byte]string{}}
	m.coordinator(group)
	for _, t := range m.metadata(12, topics...) {
		expect(n.t, "topic "+*t.Topic, t.ErrorCode, nil)
		m.names[t.TopicID] = *t.Topic
	}
	return m
}

// beat is a heartbeat that says nothing new.
func (m *consumer) beat() *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = m.group, m.id, m.epoch, -1
	return req
}

// joining is the heartbeat of a member that begins.
func (m *consumer) joining(topics ...string) *kmsg.ConsumerGroupHeartbeatRequest {
	req := m.beat()
	req.MemberEpoch, req.RebalanceTimeoutMillis, req.SubscribedTopicNames = 0, 60_000, topics
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	return req
}

// with says in a heartbeat what the member has: "t:0+1".
func (m *consumer) with(req *kmsg.ConsumerGroupHeartbeatRequest, has ...string) *kmsg.ConsumerGroupHeartbeatRequest {
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for _, h := range has {
		name, list, _ := strings.Cut(h, ":")
		t := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		for id, known := range m.names {
			if known == name {
				t.TopicID = id
			}
		}
		for _, p := range list {
			if p != '+' {
				t.Partitions = append(t.Partitions, p-'0')
			}
		}
		req.Topics = append(req.Topics, t)
	}
	return req
}

// told sends a heartbeat and makes its answer a text, and the answer's epoch the member's:
// "2 t:0+1"; without partitions if none are told, as "2 -" if it is told that it has none.
func (m *consumer) told(version int16, req *kmsg.ConsumerGroupHeartbeatRequest) string {
	m.t.Helper()
	resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](m.conn, version, req)
	if err := kerr.TypedErrorForCode(resp.ErrorCode); err != nil {
		return err.Message
	}
	m.id, m.epoch = *resp.MemberID, resp.MemberEpoch
	return strings.TrimSpace(fmt.Sprint(m.epoch, " ", m.assigned(resp.Assignment)))
}

func (m *consumer) assigned(a *kmsg.ConsumerGroupHeartbeatResponseAssignment) string {
	switch {
	case a == nil:
		return ""
	case len(a.Topics) == 0:
		return "-"
	}
	var words []string
	for _, t := range a.Topics {
		words = append(words, m.names[t.TopicID]+":"+strings.ReplaceAll(strings.Trim(fmt.Sprint(t.Partitions), "[]"), " ", "+"))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// subscription is what a classic member says: it wants t, and has these partitions of it.
func subscription(owned ...int32) string {
	s := kmsg.NewConsumerMemberMetadata()
	s.Version, s.Topics = 1, []string{"t"}
	if len(owned) > 0 {
		s.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: "t", Partitions: owned}}
	}
	return string(s.AppendTo(nil))
}

// assignment is what a classic leader gives: these partitions of t.
func assignment(parts ...int32) string {
	a := kmsg.NewConsumerMemberAssignment()
	a.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: "t", Partitions: parts}}
	return string(a.AppendTo(nil))
}

// has is what a classic member is given, as text.
func (m *member) has(resp *kmsg.SyncGroupResponse) string {
	m.t.Helper()
	expect(m.t, "sync", resp.ErrorCode, nil)
	a := kmsg.NewConsumerMemberAssignment()
	if err := a.ReadFrom(resp.MemberAssignment); err != nil {
		m.t.Errorf("assignment: %v", err)
	}
	return fmt.Sprint(a.Topics[0].Partitions)
}

// kind is the type of a group, as it is listed.
func (c *conn) kind(group string) string {
	c.t.Helper()
	for _, g := range ask[*kmsg.ListGroupsResponse](c, 5, kmsg.NewPtrListGroupsRequest()).Groups {
		if g.Group == group {
			return g.GroupType
		}
	}
	return "none"
}

// A classic group goes on as a consumer group when a member of the new protocol joins, and
// the other way when the last of these leaves; offsets stay.
func TestBehaviour093GroupsMoveToTheNewProtocolAndBack(t *testing.T) {
	onNode(t, nil, func(n *node) {
		old := n.member("g", "")
		old.create("t", 4)
		expect(t, "classic join", old.join(subscription()).ErrorCode, nil)
		same(t, "has all", old.has(old.sync(old.id, assignment(0, 1, 2, 3))), "[0 1 2 3]")
		expect(t, "commit", old.commit("t", 7, "").ErrorCode, nil)
		same(t, "type", strings.ToLower(old.kind("g")), "classic")

		fresh := n.consumer("g", "fresh", "t")
		same(t, "joins", fresh.told(1, fresh.joining("t")), "2 -")
		same(t, "type", strings.ToLower(old.kind("g")), "consumer")
		expect(t, "classic member", old.heartbeat(), kerr.RebalanceInProgress)
		joined := old.join(subscription(0, 1, 2, 3))
		expect(t, "joins again", joined.ErrorCode, nil)
		same(t, "nobody leads", joined.LeaderID, "")
		keeps := old.has(old.sync())
		same(t, "keeps half", len(keeps), len("[0 1]"))
		same(t, "it is in use yet", fresh.told(1, fresh.beat()), "2")
		var owned []int32
		for _, p := range keeps {
			if p >= '0' && p <= '3' {
				owned = append(owned, p-'0')
			}
		}
		expect(t, "gives up the others", old.join(subscription(owned...)).ErrorCode, nil)
		same(t, "its epoch is its generation", old.generation, fresh.epoch)
		same(t, "keeps them", old.has(old.sync()), keeps)
		other := map[string]string{"[0 1]": "2 t:2+3", "[2 3]": "2 t:0+1", "[0 2]": "2 t:1+3", "[1 3]": "2 t:0+2", "[0 3]": "2 t:1+2", "[1 2]": "2 t:0+3"}
		same(t, "has the others", fresh.told(1, fresh.beat()), other[keeps])
		expect(t, "at rest", old.heartbeat(), nil)

		fresh.epoch = -1
		same(t, "leaves", fresh.told(1, fresh.beat()), "-1")
		same(t, "type", strings.ToLower(old.kind("g")), "classic")
		expect(t, "classic member", old.heartbeat(), kerr.RebalanceInProgress)
		joined = old.join(subscription(owned...))
		same(t, "leads again", joined.LeaderID, old.id)
		same(t, "generation", joined.Generation, 3)
		same(t, "has all", old.has(old.sync(old.id, assignment(0, 1, 2, 3))), "[0 1 2 3]")
		same(t, "offset", old.committed("g", "t"), 7)
	})
}

func TestBehaviour093MigrationMayBeOff(t *testing.T) {
	onNode(t, props{"group.consumer.migration.policy": "disabled"}, func(n *node) {
		old := n.member("g", "")
		old.create("t", 1)
		old.join(subscription())
		old.sync(old.id, assignment(0))
		fresh := n.consumer("g", "fresh", "t")
		same(t, "joins a group in use", fresh.told(1, fresh.joining("t")), "GROUP_ID_NOT_FOUND")
		expect(t, "its member", old.heartbeat(), nil)
		time.Sleep(time.Minute) // its session ends
		same(t, "joins when it is empty", fresh.told(1, fresh.joining("t")), "1 t:0")
	})
}

func TestBehaviour094WhatAHeartbeatSays(t *testing.T) {
	onNode(t, nil, func(n *node) {
		n.dial().create("t", 2)
		m := n.consumer("g", "a", "t")
		for what, change := range map[string]func(*kmsg.ConsumerGroupHeartbeatRequest){
			"no rebalance timeout": func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RebalanceTimeoutMillis = -1 },
			"no partitions":        func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Topics = nil },
			"some partitions":      func(r *kmsg.ConsumerGroupHeartbeatRequest) { m.with(r, "t:0") },
			"no subscription":      func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = nil },
			"no member id":         func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberID = "" },
			"no group":             func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Group = "" },
			"epoch -3":             func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -3 },
			"static, without name": func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -2 },
		} {
			req := m.joining("t")
			change(req)
			same(t, what, m.told(1, req), "INVALID_REQUEST")
		}
		req := m.joining("t")
		req.ServerAssignor = ptr("nobody's")
		same(t, "assignor", m.told(1, req), "UNSUPPORTED_ASSIGNOR")
		same(t, "no such group", m.told(1, &kmsg.ConsumerGroupHeartbeatRequest{Group: "g", MemberID: "a", MemberEpoch: 1, RebalanceTimeoutMillis: -1}), "GROUP_ID_NOT_FOUND")

		same(t, "joins", m.told(1, m.joining("t")), "1 t:0+1")
		same(t, "nothing new", m.told(1, m.beat()), "1")
		same(t, "says what it has", m.told(1, m.with(m.beat(), "t:0+1")), "1")
		full := m.with(m.joining("t"), "t:0+1")
		full.MemberEpoch = 1
		same(t, "says all", m.told(1, full), "1 t:0+1")
		m.epoch = -1
		same(t, "leaves", m.told(1, m.beat()), "-1")
		m.epoch = 1
		same(t, "has left", m.told(1, m.beat()), "UNKNOWN_MEMBER_ID")

		// Before version 1 the coordinator makes the id.
		given := n.consumer("g", "", "t")
		same(t, "joins in version 0", given.told(0, given.joining("t")), "3 t:0+1")
		if given.id == "" {
			t.Error("has no id")
		}
		same(t, "goes on", given.told(0, given.beat()), "3")
	})
}

func TestBehaviour094StaticMembersLeaveForAWhile(t *testing.T) {
	onNode(t, props{"group.consumer.session.timeout.ms": "45000"}, func(n *node) {
		n.dial().create("t", 2)
		static := func(m *consumer, req *kmsg.ConsumerGroupHeartbeatRequest) string {
			req.InstanceID = ptr("i")
			return m.told(1, req)
		}
		old, other := n.consumer("g", "old", "t"), n.consumer("g", "other", "t")
		same(t, "joins", static(old, old.joining("t")), "1 t:0+1")
		fresh := n.consumer("g", "fresh", "t")
		same(t, "too early", static(fresh, fresh.joining("t")), "UNRELEASED_INSTANCE_ID")
		old.epoch = -2
		same(t, "leaves for a while", static(old, old.beat()), "-2")
		time.Sleep(30 * time.Second)
		same(t, "its successor", static(fresh, fresh.joining("t")), "1 t:0+1")
		same(t, "begins anew with its own id", static(fresh, fresh.joining("t")), "1 t:0+1")
		old.epoch = 1
		same(t, "the one before", static(old, old.beat()), "FENCED_INSTANCE_ID")

		fresh.epoch = -2
		same(t, "leaves for a while", static(fresh, fresh.beat()), "-2")
		same(t, "another joins", other.told(1, other.joining("t")), "2 -")
		time.Sleep(30 * time.Second)
		same(t, "waits", other.told(1, other.beat()), "2")
		time.Sleep(30 * time.Second) // its session has ended
		same(t, "gets all", other.told(1, other.beat()), "3 t:0+1")
	})
}

func TestBehaviour095EpochsOfMembers(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		for _, topic := range []string{"t", "u", "v"} {
			c.create(topic, 1)
		}
		m := n.consumer("g", "a", "t", "u", "v")
		same(t, "joins", m.told(1, m.joining("t")), "1 t:0")
		more := m.beat()
		more.SubscribedTopicNames = []string{"t", "u"}
		same(t, "wants more", m.told(1, more), "2 t:0 u:0")
		at := func(epoch int32, has ...string) string {
			req := m.beat()
			if req.MemberEpoch = epoch; len(has) > 0 {
				m.with(req, has...)
			}
			return m.told(1, req)
		}
		same(t, "an epoch too high", at(3), "FENCED_MEMBER_EPOCH")
		same(t, "the one before, which does not say what it has", at(1), "FENCED_MEMBER_EPOCH")
		same(t, "the one before, with what is not its own", at(1, "v:0"), "FENCED_MEMBER_EPOCH")
		same(t, "the one before: the answer was lost", at(1, "t:0"), "2")
		more = m.beat()
		more.SubscribedTopicNames = []string{"t", "u", "v"}
		same(t, "wants all", m.told(1, more), "3 t:0 u:0 v:0")
		same(t, "two epochs late", at(1, "t:0"), "FENCED_MEMBER_EPOCH")

		commit := func(epoch int32) int16 {
			req := kmsg.NewPtrOffsetCommitRequest()
			req.Group, req.MemberID, req.Generation = "g", "a", epoch
			rt := kmsg.NewOffsetCommitRequestTopic()
			rt.Topic = "t"
			rp := kmsg.NewOffsetCommitRequestTopicPartition()
			rp.Offset = 5
			rt.Partitions = append(rt.Partitions, rp)
			req.Topics = append(req.Topics, rt)
			return ask[*kmsg.OffsetCommitResponse](m.conn, 9, req).Topics[0].Partitions[0].ErrorCode
		}
		expect(t, "commit of an epoch too high", commit(4), kerr.StaleMemberEpoch)
		expect(t, "commit", commit(3), nil)
		same(t, "begins anew", m.told(1, m.joining("t", "u", "v")), "3 t:0 u:0 v:0")
	})
}

func TestBehaviour096Patterns(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		for _, topic := range []string{"aa", "ab", "b", "baa"} {
			c.create(topic, 1)
		}
		m := n.consumer("g", "a", "aa", "ab", "b", "baa")
		pattern := func(p string) *kmsg.ConsumerGroupHeartbeatRequest {
			req := m.joining()
			req.SubscribedTopicNames, req.SubscribedTopicRegex = nil, &p
			return req
		}
		same(t, "no expression", m.told(1, pattern("(")), "INVALID_REGULAR_EXPRESSION")
		same(t, "RE2 does not look ahead", m.told(1, pattern("a(?=a)")), "INVALID_REGULAR_EXPRESSION")
		same(t, "joins", m.told(1, pattern("a.*|c")), "1 -")
		time.Sleep(5 * time.Second)
		same(t, "names that match whole", m.told(1, m.beat()), "2 aa:0 ab:0")
		m.names[c.create("ac", 1)] = "ac"
		m.names[c.create("cc", 1)] = "cc"
		var got string
		for range 5 {
			time.Sleep(5 * time.Second)
			if got = m.told(1, m.beat()); got != "2" {
				break
			}
		}
		same(t, "a topic that is new", got, "3 aa:0 ab:0 ac:0")
		req := m.beat()
		req.SubscribedTopicRegex = ptr("[")
		same(t, "no expression", m.told(1, req), "INVALID_REGULAR_EXPRESSION")
		same(t, "goes on", m.told(1, m.beat()), "3")
		req = m.beat()
		req.SubscribedTopicRegex, req.SubscribedTopicNames = ptr(""), []string{"b"}
		same(t, "names instead", m.told(1, req), "3 -") // it gives up first
		same(t, "has given up", m.told(1, m.with(m.beat())), "4 b:0")
	})
}
