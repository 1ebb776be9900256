package group

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Requests as scripts write them, and responses as they show them.

func get(args map[string]string, key, otherwise string) string {
	if v, ok := args[key]; ok {
		return v
	}
	return otherwise
}

func ptr(args map[string]string, key string) *string {
	if v, ok := args[key]; ok {
		return &v
	}
	return nil
}

func num(args map[string]string, key string, otherwise int32) int32 {
	if v, ok := args[key]; ok {
		n, err := strconv.Atoi(v)
		if err != nil {
			panic(err)
		}
		return int32(n)
	}
	return otherwise
}

func list(args map[string]string, key string) []string {
	if v := args[key]; v != "" {
		return strings.Split(v, ",")
	}
	return nil
}

func ms(args map[string]string, key, otherwise string) int32 {
	d, err := time.ParseDuration(get(args, key, otherwise))
	if err != nil {
		panic(err)
	}
	return int32(d.Milliseconds())
}

// joinRequest: protos=range:topic1+topic2,rr:topic3 with subscriptions of consumers.
func joinRequest(group string, args map[string]string) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID = int16(num(args, "v", 9)), group, lengthen(args["id"]), ptr(args, "inst")
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = ms(args, "session", "10s"), ms(args, "rebalance", "60s")
	req.ProtocolType = get(args, "type", "consumer")
	for _, p := range strings.Split(get(args, "protos", "range:t"), ",") {
		name, topics, _ := strings.Cut(p, ":")
		meta := kmsg.NewConsumerMemberMetadata()
		meta.Topics = strings.Split(topics, "+")
		if args["has"] != "" {
			meta.Version = 1
			for topic, partitions := range scriptParts(args["has"]) {
				meta.OwnedPartitions = append(meta.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: topic, Partitions: partitions})
			}
		}
		if owns, ok := args["owns"]; ok { // what the consumer has: t:0+1
			meta.Version = 3
			for topic, partitions := range scriptParts(owns) {
				meta.OwnedPartitions = append(meta.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: topic, Partitions: partitions})
			}
		}
		bytes := meta.AppendTo(nil)
		if topics == "garbage" {
			bytes = []byte("garbage")
		}
		req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: bytes})
	}
	return req
}

func showJoin(r *kmsg.JoinGroupResponse) string {
	if r.ErrorCode != 0 {
		s := errorName(r.ErrorCode)
		if r.MemberID != "" {
			s += " id=" + r.MemberID
		}
		return s
	}
	s := fmt.Sprintf("id=%s gen=%d leader=%s proto=%s", r.MemberID, r.Generation, r.LeaderID, *r.Protocol)
	if len(r.Members) > 0 {
		var members []string
		for _, m := range r.Members {
			members = append(members, m.MemberID)
		}
		s += " members=" + strings.Join(members, ",")
	}
	if r.SkipAssignment {
		s += " skip"
	}
	return s
}

func syncRequest(group string, args map[string]string) *kmsg.SyncGroupRequest {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID = 5, group, lengthen(args["id"]), ptr(args, "inst")
	req.Generation, req.ProtocolType, req.Protocol = num(args, "gen", 0), ptr(args, "type"), ptr(args, "proto")
	for _, a := range list(args, "assign") {
		id, bytes, _ := strings.Cut(a, ":")
		if assigned, ok := strings.CutPrefix(bytes, "="); ok { // partitions of one topic: =t:0+1
			bytes = string(consumerAssignmentOf(assigned))
		}
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: lengthen(id), MemberAssignment: []byte(bytes)})
	}
	return req
}

func showSync(r *kmsg.SyncGroupResponse) string {
	if r.ErrorCode != 0 {
		return errorName(r.ErrorCode)
	}
	return fmt.Sprintf("%s %s %s", *r.ProtocolType, *r.Protocol, showAssignment(r.MemberAssignment))
}

func leaveRequest(group string, args map[string]string) *kmsg.LeaveGroupRequest {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group = int16(num(args, "v", 5)), group
	if req.Version < 3 {
		req.MemberID = lengthen(args["id"])
		return req
	}
	for _, id := range list(args, "id") {
		req.Members = append(req.Members, kmsg.LeaveGroupRequestMember{MemberID: lengthen(id), InstanceID: ptr(args, "with")})
	}
	for _, inst := range list(args, "inst") {
		req.Members = append(req.Members, kmsg.LeaveGroupRequestMember{InstanceID: &inst})
	}
	return req
}

func showLeave(r *kmsg.LeaveGroupResponse) string {
	s := errorName(r.ErrorCode)
	for _, m := range r.Members {
		name := m.MemberID
		if m.InstanceID != nil {
			name += "/" + *m.InstanceID
		}
		s += " " + name + ":" + errorName(m.ErrorCode)
	}
	return s
}

// commitRequest: offsets=t/0@10,t/1@20
func commitRequest(group string, args map[string]string) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID = int16(num(args, "v", 9)), group, lengthen(args["id"]), ptr(args, "inst")
	req.Generation, req.RetentionTimeMillis = num(args, "gen", -1), -1
	if args["fence"] != "" {
		req.UnknownTags.Set(model.TagFenceMembers, []byte(args["fence"]))
		if args["fence"] == "members" {
			req.UnknownTags.Set(model.TagFenceMembers, model.FenceMembers)
		}
	}
	if args["retain"] != "" {
		req.RetentionTimeMillis = int64(ms(args, "retain", ""))
	}
	for _, o := range list(args, "offsets") {
		var topic string
		var partition int32
		var at int64
		if _, err := fmt.Sscanf(strings.NewReplacer("/", " ", "@", " ").Replace(o), "%s %d %d", &topic, &partition, &at); err != nil {
			panic(err)
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = partition, at, 7, ptr(args, "meta")
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic, t.Partitions = topic, []kmsg.OffsetCommitRequestTopicPartition{p}
		req.Topics = append(req.Topics, t)
	}
	return req
}

func showCommit(r *kmsg.OffsetCommitResponse) string {
	var s []string
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			s = append(s, errorName(p.ErrorCode))
		}
	}
	return strings.Join(s, " ")
}

// txnCommitRequest: pid=7 epoch=0 offsets=t/0@10,t/1@20
func txnCommitRequest(group string, args map[string]string) *kmsg.TxnOffsetCommitRequest {
	plain := commitRequest(group, args)
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.Version, req.TransactionalID, req.Group = int16(num(args, "v", 5)), "txn", group
	req.ProducerID, req.ProducerEpoch = int64(num(args, "pid", 7)), int16(num(args, "epoch", 0))
	req.Generation, req.MemberID, req.InstanceID = plain.Generation, plain.MemberID, plain.InstanceID
	for _, t := range plain.Topics {
		topic := kmsg.TxnOffsetCommitRequestTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.TxnOffsetCommitRequestTopicPartition{
				Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata,
			})
		}
		req.Topics = append(req.Topics, topic)
	}
	return req
}

func showTxnCommit(r *kmsg.TxnOffsetCommitResponse) string {
	var s []string
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			s = append(s, errorName(p.ErrorCode))
		}
	}
	return strings.Join(s, " ")
}

// end: commit or abort, pid=7 epoch=0 coordinator=0 version=1
func (h *house) end(ctx context.Context, how string, args map[string]string) string {
	p := runtime.Producer{ID: int64(num(args, "pid", 7)), Epoch: int16(num(args, "epoch", 0))}
	m := record.EndTxnMarker{Commit: how == "commit", CoordinatorEpoch: num(args, "coordinator", 0)}
	return errorName(code(h.service.Load().CompleteTxn(ctx, 0, p, m, int16(num(args, "version", 1)))))
}

// fetchRequest: topics=t/0,t/1, or all
func fetchRequest(group string, args map[string]string) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.RequireStable = int16(num(args, "v", 9)), args["stable"] != ""
	var topics []kmsg.OffsetFetchRequestGroupTopic
	for _, tp := range list(args, "topics") {
		topic, partition, _ := strings.Cut(tp, "/")
		n, _ := strconv.Atoi(partition)
		topics = append(topics, kmsg.OffsetFetchRequestGroupTopic{Topic: topic, Partitions: []int32{int32(n)}})
	}
	if req.Version >= 8 {
		req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: group, Topics: topics, MemberEpoch: -1}}
		return req
	}
	req.Group = group
	for _, t := range topics {
		req.Topics = append(req.Topics, kmsg.OffsetFetchRequestTopic{Topic: t.Topic, Partitions: t.Partitions})
	}
	return req
}

func showFetch(r *kmsg.OffsetFetchResponse) string {
	var s []string
	one := func(topic string, partition int32, offset int64, code int16) {
		at := strconv.FormatInt(offset, 10)
		if code != 0 {
			at = errorName(code)
		}
		s = append(s, fmt.Sprintf("%s/%d@%s", topic, partition, at))
	}
	code := r.ErrorCode
	for _, g := range r.Groups {
		code = g.ErrorCode
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				one(t.Topic, p.Partition, p.Offset, p.ErrorCode)
			}
		}
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			one(t.Topic, p.Partition, p.Offset, p.ErrorCode)
		}
	}
	if code != 0 {
		return errorName(code)
	}
	return strings.Join(s, " ")
}

func offsetDeleteRequest(group string, args map[string]string) *kmsg.OffsetDeleteRequest {
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = group
	for _, tp := range list(args, "topics") {
		topic, partition, _ := strings.Cut(tp, "/")
		n, _ := strconv.Atoi(partition)
		req.Topics = append(req.Topics, kmsg.OffsetDeleteRequestTopic{Topic: topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: int32(n)}}})
	}
	return req
}

func showOffsetDelete(r *kmsg.OffsetDeleteResponse) string {
	s := errorName(r.ErrorCode)
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			s += fmt.Sprintf(" %s/%d:%s", t.Topic, p.Partition, errorName(p.ErrorCode))
		}
	}
	return s
}

func showDescribe(r *kmsg.DescribeGroupsResponse) string {
	g := r.Groups[0]
	s := strings.TrimSpace(errorName(g.ErrorCode) + " " + g.State)
	if g.ProtocolType != "" {
		s += " " + g.ProtocolType
	}
	if g.Protocol != "" {
		s += "/" + g.Protocol
	}
	for _, m := range g.Members {
		s += fmt.Sprintf(" %s=%s", m.MemberID, showAssignment(m.MemberAssignment))
	}
	return s
}

func showList(r *kmsg.ListGroupsResponse) string {
	s := errorName(r.ErrorCode)
	for _, g := range r.Groups {
		s += fmt.Sprintf(" %s:%s:%s:%s", g.Group, g.GroupType, g.GroupState, g.ProtocolType)
	}
	return s
}
