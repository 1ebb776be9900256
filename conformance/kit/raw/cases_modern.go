package raw

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// memberOf is the id of a case's member: from version 1 on the client draws it.
func memberOf(name string) string { return ourMember + slug(name) }

// modernCases are of groups whose partitions the server assigns (KIP-848).
func modernCases() []one {
	beat := func(name, to, member string, epoch int32, set func(r *kmsg.ConsumerGroupHeartbeatRequest)) one {
		return one{name: name, make: func(_ *session, v int16) kmsg.Request {
			r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
			r.Group, r.MemberID, r.MemberEpoch = fmt.Sprintf("raw.modern.%s.%d", to, v), member, epoch
			r.RebalanceTimeoutMillis = -1
			if epoch == 0 {
				r.RebalanceTimeoutMillis, r.SubscribedTopicNames, r.Topics = 60000, []string{topic}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			}
			if set != nil {
				set(r)
			}
			return r
		}}
	}
	describe := func(name string, groups ...string) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrConsumerGroupDescribeRequest()
			r.Groups, r.IncludeAuthorizedOperations = groups, true
			return r
		})
	}
	type heartbeat = kmsg.ConsumerGroupHeartbeatRequest
	a := memberOf("a")
	return []one{
		beat("no group", "x", a, 0, func(r *heartbeat) { r.Group = "" }),
		beat("no member id", "none", "", 0, nil),
		beat("no subscription", "x", a, 0, func(r *heartbeat) { r.SubscribedTopicNames = nil }),
		beat("an empty subscription", "empty", a, 0, func(r *heartbeat) { r.SubscribedTopicNames = []string{} }),
		beat("no time to rebalance", "x", a, 0, func(r *heartbeat) { r.RebalanceTimeoutMillis = -1 }),
		beat("no partitions told", "x", a, 0, func(r *heartbeat) { r.Topics = nil }),
		beat("partitions told at first", "x", a, 0, func(r *heartbeat) {
			r.Topics = append(r.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: [16]byte{1}, Partitions: []int32{0}})
		}),
		beat("unknown assignor", "x", a, 0, func(r *heartbeat) { r.ServerAssignor = ptr("lots") }),
		beat("empty instance", "x", a, 0, func(r *heartbeat) { r.InstanceID = ptr("") }),
		beat("empty rack", "x", a, 0, func(r *heartbeat) { r.RackID = ptr("") }),
		beat("epoch minus three", "x", a, -3, nil),
		beat("to go for a while without a name", "x", a, -2, nil),
		beat("stranger", "stranger", a, 5, nil), beat("stranger leaves", "stranger", a, -1, nil),
		from(1, beat("bad pattern", "pattern", a, 0, func(r *heartbeat) { r.SubscribedTopicNames, r.SubscribedTopicRegex = nil, ptr("(?<!x)y") })),
		from(1, beat("empty pattern", "pattern", a, 0, func(r *heartbeat) { r.SubscribedTopicNames, r.SubscribedTopicRegex = nil, ptr("") })),
		beat("of an unknown topic", "later", a, 0, func(r *heartbeat) { r.SubscribedTopicNames = []string{"raw.unknown"} }),
		// One member's life, each step once in every version.
		beat("joins", "life", a, 0, nil),
		beat("joins again", "life", a, 0, nil),
		beat("goes on", "life", a, 1, nil),
		beat("is ahead", "life", a, 7, nil),
		beat("has what it was not given", "life", a, 1, func(r *heartbeat) {
			r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: [16]byte{7}, Partitions: []int32{0}}}
		}),
		beat("votes", "life", a, 1, func(r *heartbeat) { r.ServerAssignor = ptr("range") }),
		beat("another joins", "life", memberOf("b"), 0, nil),
		beat("an instance joins", "life", memberOf("c"), 0, func(r *heartbeat) { r.InstanceID = ptr("c") }),
		beat("the instance is taken", "life", memberOf("d"), 0, func(r *heartbeat) { r.InstanceID = ptr("c") }),
		beat("as an unknown instance", "life", memberOf("c"), 1, func(r *heartbeat) { r.InstanceID = ptr("nobody") }),
		describe("life", "raw.modern.life.0", "raw.modern.life.1"),
		describe("unknown", "raw.unknown"), describe("empty name", ""), describe("a classic one", "raw.life"),
		at("life, in the old way", func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeGroupsRequest()
			r.Groups = []string{"raw.modern.life.0"}
			return r
		}),
		from(5, at("of a type", func(*session) kmsg.Request {
			r := kmsg.NewPtrListGroupsRequest()
			r.TypesFilter = []string{"consumer"}
			return r
		})),
		from(5, at("of no type", func(*session) kmsg.Request {
			r := kmsg.NewPtrListGroupsRequest()
			r.TypesFilter = []string{"lost"}
			return r
		})),
		one{name: "a modern member's offset", min: 9, make: func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrOffsetCommitRequest()
			r.Group, r.MemberID, r.Generation = "raw.modern.life.0", a, 1
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic, t.TopicID = topic, s.ids[topic]
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Offset = 3
			t.Partitions = append(t.Partitions, p)
			r.Topics = append(r.Topics, t)
			return r
		}},
		one{name: "a modern stranger's offset", min: 2, make: func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrOffsetCommitRequest()
			r.Group, r.MemberID, r.Generation = "raw.modern.life.0", "stranger", 1
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic, t.TopicID = topic, s.ids[topic]
			t.Partitions = append(t.Partitions, kmsg.NewOffsetCommitRequestTopicPartition())
			r.Topics = append(r.Topics, t)
			return r
		}},
		at("a classic heartbeat", func(*session) kmsg.Request {
			r := kmsg.NewPtrHeartbeatRequest()
			r.Group, r.MemberID, r.Generation = "raw.modern.life.0", "stranger", 1
			return r
		}),
		at("a group that runs", func(*session) kmsg.Request {
			r := kmsg.NewPtrDeleteGroupsRequest()
			r.Groups = []string{"raw.modern.life.0"}
			return r
		}),
		beat("goes for a while", "life", memberOf("c"), -2, func(r *heartbeat) { r.InstanceID = ptr("c") }),
		beat("comes back", "life", memberOf("e"), 0, func(r *heartbeat) { r.InstanceID = ptr("c") }),
		beat("leaves", "life", a, -1, nil), beat("leaves again", "life", a, -1, nil),
		beat("the other leaves", "life", memberOf("b"), -1, nil),
	}
}
