package group

import (
	"context"
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime/memlog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A script is a conversation with the coordinator, a line an action:
//
//	join a -> MEMBER_ID_REQUIRED id=a-1     a request and its answer, or "waits"
//	after 3s                                time passes
//	a <- gen=1 leader=a-1 …                 the answer that a waited for
//	a waits                                 it has none yet
//	log commits | holds | reload            what happens to the log
//
// The random part of member ids is a count: the first id that is drawn ends in -1.
type house struct {
	*testing.T
	service *Service
	log     *memlog.Log
	set     Settings
	drawn   uint64
	epoch   int32
	parked  map[string]chan string
	stop    func()
}

// withService runs a test in a bubble, with a Service that leads the only partition.
func withService(t *testing.T, set Settings, test func(*house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := &house{T: t, log: &memlog.Log{}, set: set, parked: map[string]chan string{}, stop: cancel}
		h.service = New(Config{
			Partitions: func() int32 { return 1 },
			Settings:   func() Settings { return h.set },
			Rand: func(b []byte) {
				h.drawn++
				clear(b)
				binary.BigEndian.PutUint64(b[8:], h.drawn)
			},
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := h.service.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		}()
		h.service.Lead(0, 0, h.log)
		synctest.Wait()
		test(h)
		cancel()
		<-done
	})
}

// play runs a script.
func play(t *testing.T, set Settings, script string) {
	t.Helper()
	withService(t, set, func(h *house) { h.play(script) })
}

func (h *house) play(script string) {
	h.Helper()
	for i, line := range strings.Split(script, "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if err := h.line(line); err != nil {
			h.Fatalf("line %d: %s\n%v", i+1, line, err)
		}
	}
}

func (h *house) line(line string) error {
	action, want, asked := strings.Cut(line, "->")
	words := strings.Fields(action)
	switch words[0] {
	case "after":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			return err
		}
		time.Sleep(d)
		synctest.Wait()
		return nil
	case "log":
		h.logDoes(words[1])
		return nil
	}
	if asked {
		return h.same(h.ask(words), want)
	}
	if name, want, ok := strings.Cut(line, "<-"); ok {
		return h.same(h.answered(strings.TrimSpace(name)), want)
	}
	if len(words) == 2 && words[1] == "waits" {
		return h.same(h.answered(words[0]), "waits")
	}
	return fmt.Errorf("what is that?")
}

func (h *house) same(got, want string) error {
	if want = strings.Join(strings.Fields(want), " "); got != want {
		return fmt.Errorf(" got: %s\nwant: %s", got, want)
	}
	return nil
}

func (h *house) logDoes(what string) {
	switch what {
	case "holds":
		h.log.Hold()
	case "commits":
		h.log.Commit()
	case "fails":
		h.log.FailAppend(kerr.KafkaStorageError)
	case "breaks":
		h.log.FailAppend(kerr.UnknownServerError)
	case "resigns":
		h.service.Resign(0)
	case "reload": // another leadership over the same records
		h.epoch++
		h.log.Lead(h.epoch, true)
		h.service.Resign(0)
		h.service.Lead(0, h.epoch, h.log)
	}
	synctest.Wait()
}

// ask sends a request and returns its answer, or "waits" and keeps it for later.
func (h *house) ask(words []string) string {
	args := map[string]string{}
	var plain []string
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			args[k] = v
		} else {
			plain = append(plain, w)
		}
	}
	ch := make(chan string, 1)
	go func() { ch <- h.call(words[0], plain, args) }()
	synctest.Wait()
	if len(plain) > 0 {
		h.parked[plain[0]] = ch
	}
	select {
	case got := <-ch:
		return got
	default:
		return "waits"
	}
}

func (h *house) answered(name string) string {
	select {
	case got := <-h.parked[name]:
		return got
	default:
		return "waits"
	}
}

var (
	uuid  = regexp.MustCompile(`00000000-0000-4000-8000-0000000000([0-9a-f]{2})`)
	short = regexp.MustCompile(`^([a-z0-9]+)-([0-9]+)$`)
)

// shorten and lengthen turn member ids into those of scripts and back.
func shorten(s string) string {
	return uuid.ReplaceAllStringFunc(s, func(id string) string {
		n, _ := strconv.ParseUint(id[len(id)-2:], 16, 8)
		return strconv.FormatUint(n, 10)
	})
}

func lengthen(s string) string {
	m := short.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	n, _ := strconv.Atoi(m[2])
	return fmt.Sprintf("%s-00000000-0000-4000-8000-0000000000%02x", m[1], n)
}

func errorName(code int16) string {
	if code == 0 {
		return "ok"
	}
	return kerr.ErrorForCode(code).(*kerr.Error).Message
}

func (h *house) call(verb string, plain []string, args map[string]string) string {
	name := ""
	if len(plain) > 0 {
		name = plain[0]
	}
	group := get(args, "group", "g")
	caller := Caller{ClientID: name, ClientHost: "/10.0.0.1"}
	ctx := context.Background()
	switch verb {
	case "join":
		return shorten(showJoin(h.service.JoinGroup(ctx, caller, joinRequest(group, args))))
	case "sync":
		return shorten(showSync(h.service.SyncGroup(ctx, caller, syncRequest(group, args))))
	case "heartbeat":
		req := kmsg.NewPtrHeartbeatRequest()
		req.Version, req.Group, req.MemberID, req.Generation, req.InstanceID = 4, group, lengthen(args["id"]), num(args, "gen", 0), ptr(args, "inst")
		return errorName(h.service.Heartbeat(ctx, caller, req).ErrorCode)
	case "leave":
		return shorten(showLeave(h.service.LeaveGroup(ctx, caller, leaveRequest(group, args))))
	case "commit":
		return showCommit(h.service.OffsetCommit(ctx, caller, commitRequest(group, args)))
	case "fetch":
		return showFetch(h.service.OffsetFetch(ctx, caller, fetchRequest(group, args)))
	case "offsetdelete":
		return showOffsetDelete(h.service.OffsetDelete(ctx, caller, offsetDeleteRequest(group, args)))
	case "describe":
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Version, req.Groups = int16(num(args, "v", 6)), []string{group}
		return shorten(showDescribe(h.service.DescribeGroups(ctx, caller, req)))
	case "list":
		req := kmsg.NewPtrListGroupsRequest()
		req.Version, req.StatesFilter, req.TypesFilter = 5, list(args, "states"), list(args, "types")
		return showList(h.service.ListGroups(ctx, caller, req))
	case "delete":
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Version, req.Groups = 2, []string{group}
		return errorName(h.service.DeleteGroups(ctx, caller, req).Groups[0].ErrorCode)
	case "topicdeleted":
		if err := h.service.TopicDeleted(ctx, plain); err != nil {
			return err.Error()
		}
		return "ok"
	}
	return "what is " + verb + "?"
}

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
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: lengthen(id), MemberAssignment: []byte(bytes)})
	}
	return req
}

func showSync(r *kmsg.SyncGroupResponse) string {
	if r.ErrorCode != 0 {
		return errorName(r.ErrorCode)
	}
	return fmt.Sprintf("%s %s %q", *r.ProtocolType, *r.Protocol, r.MemberAssignment)
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
		s += fmt.Sprintf(" %s=%q", m.MemberID, m.MemberAssignment)
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
