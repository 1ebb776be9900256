package raw

import (
	"encoding/base64"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// uuid is an id as a share consumer draws it.
func uuid(n byte) string {
	return base64.RawURLEncoding.EncodeToString([]byte{0x5a, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, n})
}

// shareCases are of share groups (KIP-932).
func shareCases() []one {
	type heartbeat = kmsg.ShareGroupHeartbeatRequest
	beat := func(name, to, member string, epoch int32, set func(r *heartbeat)) one {
		return one{name: name, make: func(_ *session, v int16) kmsg.Request {
			r := kmsg.NewPtrShareGroupHeartbeatRequest()
			r.GroupID, r.MemberID, r.MemberEpoch = "raw.share."+to, member, epoch
			if epoch == 0 {
				r.SubscribedTopicNames = []string{topic}
			}
			if set != nil {
				set(r)
			}
			return r
		}}
	}
	describe := func(name string, groups ...string) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrShareGroupDescribeRequest()
			r.GroupIDs, r.IncludeAuthorizedOperations = groups, true
			return r
		})
	}
	fetch := func(name, group, member string, epoch int32, set func(s *session, r *kmsg.ShareFetchRequest)) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrShareFetchRequest()
			r.GroupID, r.MemberID, r.ShareSessionEpoch = ptr("raw.share."+group), ptr(member), epoch
			r.MaxWaitMillis, r.MinBytes, r.MaxBytes, r.MaxRecords, r.BatchSize = 100, 1, 1<<20, 100, 100
			if epoch >= 0 {
				p := kmsg.NewShareFetchRequestTopicPartition()
				p.PartitionMaxBytes = 1 << 20
				r.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: s.ids[topic], Partitions: []kmsg.ShareFetchRequestTopicPartition{p}}}
			}
			if set != nil {
				set(s, r)
			}
			return r
		})
	}
	ack := func(name, group, member string, epoch int32, first, last int64, kinds ...int8) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrShareAcknowledgeRequest()
			r.GroupID, r.MemberID, r.ShareSessionEpoch = ptr("raw.share."+group), ptr(member), epoch
			p := kmsg.NewShareAcknowledgeRequestTopicPartition()
			p.AcknowledgementBatches = []kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{{FirstOffset: first, LastOffset: last, AcknowledgeTypes: kinds}}
			r.Topics = []kmsg.ShareAcknowledgeRequestTopic{{TopicID: s.ids[topic], Partitions: []kmsg.ShareAcknowledgeRequestTopicPartition{p}}}
			return r
		})
	}
	a, b := uuid(1), uuid(2)
	list := []one{
		beat("no group", "x", a, 0, func(r *heartbeat) { r.GroupID = "" }),
		beat("no member id", "x", "", 0, nil),
		beat("no subscription", "x", a, 0, func(r *heartbeat) { r.SubscribedTopicNames = nil }),
		beat("an empty subscription", "empty", a, 0, func(r *heartbeat) { r.SubscribedTopicNames = []string{} }),
		beat("empty rack", "x", a, 0, func(r *heartbeat) { r.RackID = ptr("") }),
		beat("epoch minus two", "x", a, -2, nil),
		beat("stranger", "stranger", a, 5, nil), beat("stranger leaves", "stranger", a, -1, nil),
		beat("of a classic group", "x", a, 0, func(r *heartbeat) { r.GroupID = "raw.life" }),
		beat("joins", "life", a, 0, nil), beat("joins again", "life", a, 0, nil),
		beat("another joins", "life", b, 0, nil),
		beat("is ahead", "life", a, 70, nil),
		describe("unknown", "raw.unknown"), describe("empty name", ""), describe("a classic one", "raw.life"),
		fetch("no group", "x", a, 0, func(_ *session, r *kmsg.ShareFetchRequest) { r.GroupID = nil }),
		fetch("no member", "x", a, 0, func(_ *session, r *kmsg.ShareFetchRequest) { r.MemberID = nil }),
		fetch("unknown session", "nobody", a, 5, nil),
		fetch("leave without a session", "nobody", a, -1, nil),
		fetch("acknowledge at first", "nobody", a, 0, func(_ *session, r *kmsg.ShareFetchRequest) {
			r.Topics[0].Partitions[0].AcknowledgementBatches = []kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch{{AcknowledgeTypes: []int8{1}}}
		}),
		fetch("unknown topic", "strange", b, 0, func(_ *session, r *kmsg.ShareFetchRequest) { r.Topics[0].TopicID = [16]byte{9} }),
		from(2, fetch("acquire in no known way", "mode", a, 0, func(_ *session, r *kmsg.ShareFetchRequest) { r.ShareAcquireMode = 9 })),
		ack("without a session", "nobody", a, 1, 0, 0, 1), ack("at first", "nobody", a, 0, 0, 0, 1), ack("the last without a session", "nobody", a, -1, 0, 0, 1),
	}
	offsets := func(name, group string, topics ...string) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
			g := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
			g.GroupID, g.Topics = group, nil
			for _, t := range topics {
				g.Topics = append(g.Topics, kmsg.DescribeShareGroupOffsetsRequestGroupTopic{Topic: t, Partitions: []int32{0, 1}})
			}
			r.Groups = append(r.Groups, g)
			return r
		})
	}
	alter := func(name, group, of string, partition int32, to int64) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrAlterShareGroupOffsetsRequest()
			r.GroupID = group
			r.Topics = []kmsg.AlterShareGroupOffsetsRequestTopic{{Topic: of, Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{Partition: partition, StartOffset: to}}}}
			return r
		})
	}
	forget := func(name, group string, of ...string) one {
		return at(name, func(*session) kmsg.Request {
			r := kmsg.NewPtrDeleteShareGroupOffsetsRequest()
			r.GroupID = group
			for _, t := range of {
				r.Topics = append(r.Topics, kmsg.DeleteShareGroupOffsetsRequestTopic{Topic: t})
			}
			return r
		})
	}
	running := alter("of a group that runs", "raw.share.life", topic, 0, 3)
	running.before = func(s *session, _ int16) { s.awaitStates("raw.share.life", 2) }
	return append(list,
		running, forget("of a group that runs", "raw.share.life", topic),
		beat("leaves", "life", a, -1, nil), beat("leaves again", "life", a, -1, nil), beat("the other leaves", "life", b, -1, nil),
		describe("life after", "raw.share.life"),
		offsets("unknown group", "raw.unknown", topic), offsets("no group", "", topic), offsets("a classic group", "raw.life", topic),
		alter("unknown group", "raw.unknown", topic, 0, 3), alter("good", "raw.share.life", topic, 0, 3),
		alter("unknown topic", "raw.share.life", "raw.unknown", 0, 3), alter("unknown partition", "raw.share.life", topic, 9, 3),
		offsets("altered", "raw.share.life", topic), offsets("of an unknown topic", "raw.share.life", "raw.unknown"), offsets("all", "raw.share.life"),
		forget("unknown group", "raw.unknown", topic), forget("unknown topic", "raw.share.life", "raw.unknown"),
		forget("good", "raw.share.life", topic), forget("again", "raw.share.life", topic),
		offsets("after", "raw.share.life", topic),
		at("a share group", func(*session) kmsg.Request {
			r := kmsg.NewPtrDeleteGroupsRequest()
			r.Groups = []string{"raw.share.life"}
			return r
		}),
	)
}

// awaitStates waits until a share group has the states of so many partitions.
func (s *session) awaitStates(group string, want int) {
	r := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	g := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
	g.GroupID, g.Topics = group, nil
	r.Groups = append(r.Groups, g)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		resp, err := s.ask(r, 0)
		if err != nil {
			continue
		}
		n := 0
		for _, t := range resp.(*kmsg.DescribeShareGroupOffsetsResponse).Groups[0].Topics {
			n += len(t.Partitions)
		}
		if n >= want {
			return
		}
	}
}

// shareStateCases ask a share coordinator, as brokers do.
func shareStateCases() []one {
	const g = "raw.state"
	begin := func(name string, partition, epoch int32, start int64) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrInitializeShareGroupStateRequest()
			r.GroupID = g
			r.Topics = []kmsg.InitializeShareGroupStateRequestTopic{{TopicID: s.ids[topic], Partitions: []kmsg.InitializeShareGroupStateRequestTopicPartition{{Partition: partition, StateEpoch: epoch, StartOffset: start}}}}
			return r
		})
	}
	read := func(name, group string, partition, leader int32) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrReadShareGroupStateRequest()
			r.GroupID = group
			r.Topics = []kmsg.ReadShareGroupStateRequestTopic{{TopicID: s.ids[topic], Partitions: []kmsg.ReadShareGroupStateRequestTopicPartition{{Partition: partition, LeaderEpoch: leader}}}}
			return r
		})
	}
	summary := func(name string, partition, leader int32) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrReadShareGroupStateSummaryRequest()
			r.GroupID = g
			r.Topics = []kmsg.ReadShareGroupStateSummaryRequestTopic{{TopicID: s.ids[topic], Partitions: []kmsg.ReadShareGroupStateSummaryRequestTopicPartition{{Partition: partition, LeaderEpoch: leader}}}}
			return r
		})
	}
	type batches = []kmsg.WriteShareGroupStateRequestTopicPartitionStateBatch
	write := func(name string, partition, epoch, leader int32, start int64, list batches) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrWriteShareGroupStateRequest()
			r.GroupID = g
			r.Topics = []kmsg.WriteShareGroupStateRequestTopic{{TopicID: s.ids[topic], Partitions: []kmsg.WriteShareGroupStateRequestTopicPartition{{
				Partition: partition, StateEpoch: epoch, LeaderEpoch: leader, StartOffset: start, DeliveryCompleteCount: 2, StateBatches: list,
			}}}}
			return r
		})
	}
	drop := func(name string, partition int32) one {
		return at(name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrDeleteShareGroupStateRequest()
			r.GroupID = g
			r.Topics = []kmsg.DeleteShareGroupStateRequestTopic{{TopicID: s.ids[topic], Partitions: []kmsg.DeleteShareGroupStateRequestTopicPartition{{Partition: partition}}}}
			return r
		})
	}
	some := batches{{FirstOffset: 2, LastOffset: 4, DeliveryState: 0, DeliveryCount: 1}, {FirstOffset: 5, LastOffset: 5, DeliveryState: 2, DeliveryCount: 2}}
	find := at("share", func(s *session) kmsg.Request {
		r := kmsg.NewPtrFindCoordinatorRequest()
		r.CoordinatorType = 2
		r.CoordinatorKeys = []string{fmt.Sprintf("%s:%s:0", g, idText(s.ids[topic]))}
		return r
	})
	wrong := at("share, a wrong key", func(s *session) kmsg.Request {
		r := kmsg.NewPtrFindCoordinatorRequest()
		r.CoordinatorType, r.CoordinatorKeys = 2, []string{"raw"}
		return r
	})
	return []one{
		from(6, find), from(6, wrong),
		read("unknown", g, 0, 0), read("no group", "", 0, 0), summary("unknown", 0, 0), drop("unknown", 0),
		write("unknown", 0, 0, 0, 0, some),
		begin("new", 0, 1, 2), begin("again", 0, 1, 2), begin("an old epoch", 0, 0, 2), begin("a wrong partition", -1, 1, 2), begin("a start below none", 1, 1, -5),
		read("new", g, 0, 1), read("an old leader", g, 0, 0), read("a wrong partition", g, -1, 1),
		write("some", 0, 1, 1, 2, some), write("an old leader's", 0, 1, 0, 2, some), write("an old epoch's", 0, 0, 1, 2, some),
		write("an epoch to come", 0, 9, 1, 2, some), write("only a start", 0, 1, 1, 4, nil),
		read("some", g, 0, 1), summary("some", 0, 1), summary("an old leader", 0, 0),
		drop("good", 0), drop("again", 0), read("after", g, 0, 1),
	}
}
