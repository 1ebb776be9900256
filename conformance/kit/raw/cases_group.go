package raw

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func groupCases() []one {
	join := func(name string, set func(s *session, v int16, r *kmsg.JoinGroupRequest)) one {
		return one{name: name, make: func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrJoinGroupRequest()
			r.Group, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis, r.ProtocolType = group(v), 20000, 20000, "consumer"
			p := kmsg.NewJoinGroupRequestProtocol()
			p.Name, p.Metadata = "range", []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
			r.Protocols = append(r.Protocols, p)
			set(s, v, r)
			return r
		}}
	}
	sync := func(name string, set func(s *session, r *kmsg.SyncGroupRequest)) one {
		return one{name: name, make: func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrSyncGroupRequest()
			r.Group, r.MemberID, r.Generation = "raw.life", s.member, 1
			r.ProtocolType, r.Protocol = ptr("consumer"), ptr("range")
			set(s, r)
			return r
		}}
	}
	beat := func(name string, set func(s *session, r *kmsg.HeartbeatRequest)) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrHeartbeatRequest()
			r.Group, r.MemberID, r.Generation = "raw.life", s.member, 1
			set(s, r)
			return r
		})
	}
	leave := func(name, of string, member string, instance *string) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrLeaveGroupRequest()
			r.Group, r.MemberID = of, member
			m := kmsg.NewLeaveGroupRequestMember()
			m.MemberID, m.InstanceID = member, instance
			r.Members = append(r.Members, m)
			return r
		})
	}
	list := []one{
		join("stranger", func(s *session, v int16, r *kmsg.JoinGroupRequest) { r.MemberID = "stranger" }),
		join("no group", func(s *session, v int16, r *kmsg.JoinGroupRequest) { r.Group = "" }),
		join("short session", func(s *session, v int16, r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 5 }),
		join("long session", func(s *session, v int16, r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1 << 30 }),
		join("no protocols", func(s *session, v int16, r *kmsg.JoinGroupRequest) { r.Protocols = nil }),
		join("no protocol type", func(s *session, v int16, r *kmsg.JoinGroupRequest) { r.ProtocolType = "" }),
		from(5, join("bad instance", func(s *session, v int16, r *kmsg.JoinGroupRequest) {
			r.Group, r.InstanceID = fmt.Sprintf("raw.instance.%d", v), ptr("not an id!")
		})),
		join("new member", func(s *session, v int16, r *kmsg.JoinGroupRequest) {}),
		from(4, join("new member with its id", func(s *session, v int16, r *kmsg.JoinGroupRequest) { r.MemberID = s.member })),
		// One member's life, each step once in every version.
		{name: "life", min: 5, make: func(s *session, v int16) kmsg.Request {
			r := join("", func(*session, int16, *kmsg.JoinGroupRequest) {}).make(s, v).(*kmsg.JoinGroupRequest)
			r.Group, r.InstanceID = "raw.life", ptr("life")
			return r
		}},
		sync("stranger", func(s *session, r *kmsg.SyncGroupRequest) { r.MemberID = "stranger" }),
		sync("old generation", func(s *session, r *kmsg.SyncGroupRequest) { r.Generation = 0 }),
		from(5, sync("other protocol", func(s *session, r *kmsg.SyncGroupRequest) { r.Protocol = ptr("sticky") })),
		sync("unknown group", func(s *session, r *kmsg.SyncGroupRequest) { r.Group = "raw.unknown" }),
		sync("good", func(s *session, r *kmsg.SyncGroupRequest) {
			a := kmsg.NewSyncGroupRequestGroupAssignment()
			a.MemberID, a.MemberAssignment = s.member, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
			r.GroupAssignment = append(r.GroupAssignment, a)
		}),
		beat("good", func(s *session, r *kmsg.HeartbeatRequest) {}),
		beat("stranger", func(s *session, r *kmsg.HeartbeatRequest) { r.MemberID = "stranger" }),
		beat("old generation", func(s *session, r *kmsg.HeartbeatRequest) { r.Generation = 0 }),
		beat("unknown group", func(s *session, r *kmsg.HeartbeatRequest) { r.Group = "raw.unknown" }),
		from(3, beat("fenced", func(s *session, r *kmsg.HeartbeatRequest) { r.MemberID, r.InstanceID = "stranger", ptr("life") })),
		describe("life", "raw.life"), describe("unknown", "raw.unknown"), describe("empty name", ""),
		groups("all", nil), from(4, groups("stable", []string{"Stable"})), from(4, groups("no such state", []string{"Lost"})),
		leave("stranger", "raw.life", "stranger", nil), leave("unknown group", "raw.unknown", "stranger", nil),
		from(3, leave("by instance", "raw.life", "", ptr("life"))), from(3, leave("by an unknown instance", "raw.life", "", ptr("nobody"))),
		describe("life after", "raw.life"),
		find("group", 0, "raw.group"), find("no key", 0, ""), find("unknown kind", 9, "x"),
	}
	return list
}

func group(v int16) string { return fmt.Sprintf("raw.group.%d", v) }

func describe(name, of string) one {
	return at(name, func(*session) kmsg.Request {
		r := kmsg.NewPtrDescribeGroupsRequest()
		r.Groups, r.IncludeAuthorizedOperations = []string{of}, true
		return r
	})
}

// groups lists groups by state. Of all of them a run has its own, so it asks for one
// protocol's.
func groups(name string, states []string) one {
	return at(name, func(*session) kmsg.Request {
		r := kmsg.NewPtrListGroupsRequest()
		r.StatesFilter = states
		return r
	})
}

func find(name string, kind int8, key string) one {
	return one{name: name, make: func(_ *session, v int16) kmsg.Request {
		r := kmsg.NewPtrFindCoordinatorRequest()
		r.CoordinatorKey, r.CoordinatorType = key, kind
		if v >= 4 {
			r.CoordinatorKeys = []string{key}
		}
		return r
	}}
}

func commitCases() []one {
	commit := func(name, group, of string, partition int32, set func(s *session, r *kmsg.OffsetCommitRequest)) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrOffsetCommitRequest()
			r.Group, r.Generation = group, -1
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic, t.TopicID = of, s.ids[of]
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.Metadata = partition, 7, ptr("note")
			t.Partitions = append(t.Partitions, p)
			r.Topics = append(r.Topics, t)
			if set != nil {
				set(s, r)
			}
			return r
		})
	}
	fetch := func(name, group string, all bool, of string, partition int32) one {
		return one{name: name, make: func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrOffsetFetchRequest()
			r.Group = group
			g := kmsg.NewOffsetFetchRequestGroup()
			g.Group = group
			if !all {
				r.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: of, Partitions: []int32{partition}}}
				g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: of, TopicID: s.ids[of], Partitions: []int32{partition}}}
			}
			r.Groups = append(r.Groups, g)
			return r
		}}
	}
	forget := func(name, group, of string, partition int32) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrOffsetDeleteRequest()
			t := kmsg.NewOffsetDeleteRequestTopic()
			t.Topic, t.Partitions = of, []kmsg.OffsetDeleteRequestTopicPartition{{Partition: partition}}
			r.Group, r.Topics = group, append(r.Topics, t)
			return r
		})
	}
	drop := func(name string, groups ...string) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrDeleteGroupsRequest()
			r.Groups = groups
			return r
		})
	}
	return []one{
		commit("alone", "raw.commits", topic, 0, nil),
		commit("unknown topic", "raw.commits", "raw.unknown", 0, nil),
		commit("unknown partition", "raw.commits", topic, 9, nil),
		commit("stranger", "raw.commits", topic, 0, func(_ *session, r *kmsg.OffsetCommitRequest) { r.MemberID, r.Generation = "stranger", 1 }),
		commit("stranger in an unknown group", "raw.unknown", topic, 0, func(_ *session, r *kmsg.OffsetCommitRequest) { r.MemberID, r.Generation = "stranger", 1 }),
		commit("long note", "raw.commits", topic, 0, func(_ *session, r *kmsg.OffsetCommitRequest) {
			r.Topics[0].Partitions[0].Metadata = ptr(string(make([]byte, 5000)))
		}),
		commit("null note", "raw.commits", topic, 1, func(_ *session, r *kmsg.OffsetCommitRequest) { r.Topics[0].Partitions[0].Metadata = nil }),
		commit("no group", "", topic, 0, nil),
		fetch("one", "raw.commits", false, topic, 0), fetch("never committed", "raw.commits", false, scratch, 0),
		fetch("unknown topic", "raw.commits", false, "raw.unknown", 0), fetch("unknown group", "raw.unknown", false, topic, 0),
		from(2, fetch("all", "raw.commits", true, "", 0)), from(2, fetch("all of an unknown group", "raw.unknown", true, "", 0)),
		describe("commits only", "raw.commits"),
		forget("good", "raw.commits", topic, 1), forget("unknown partition", "raw.commits", topic, 9),
		forget("unknown topic", "raw.commits", "raw.unknown", 0), forget("unknown group", "raw.unknown", topic, 0),
		drop("good", "raw.commits"), drop("again", "raw.commits"), drop("unknown", "raw.unknown"), drop("empty name", ""),
	}
}
