package group

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Words of scripts about groups of the newer kinds:
//
//	topic t 4                                  topic t has so many partitions, 0 for none
//	hb A epoch=0 topics=t -> epoch=1 t:0+1     a heartbeat, and what the member may use
//	hb A epoch=1 -> epoch=1                    with nothing new
//	hb A epoch=1 has=t:0 -> …                  it says what it has, has=- for nothing
//	cdescribe -> …                             ConsumerGroupDescribe
//
// Member ids are as they are written. Heartbeats have version 1 and, when they join, no
// partitions and a rebalance timeout of a minute.

func (h *house) consumerCall(ctx context.Context, verb string, plain []string, args map[string]string, group string, caller Caller) string {
	switch verb {
	case "topic":
		n, _ := strconv.Atoi(plain[1])
		h.topic(plain[0], int32(n))
		return "ok"
	case "hb":
		return h.showHeartbeat(h.service.Load().ConsumerGroupHeartbeat(ctx, caller, heartbeatRequest(group, plain[0], args)))
	case "groupconfig": // heartbeat=2s session=10s
		c := GroupConfig{}
		if v, ok := args["heartbeat"]; ok {
			c.ConsumerHeartbeat, _ = time.ParseDuration(v)
		}
		if v, ok := args["session"]; ok {
			c.ConsumerSession, _ = time.ParseDuration(v)
		}
		h.config[group] = c
		return "ok"
	case "records": // of the log, by type
		return h.recordTypes()
	case "cdescribe":
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Version, req.Groups = 1, []string{group}
		return shorten(showConsumerDescribe(h.service.Load().ConsumerGroupDescribe(ctx, caller, req)))
	}
	return h.shareCall(ctx, verb, plain, args, group, caller)
}

// recordTypes are the types of the records that were written since the last time.
func (h *house) recordTypes() string {
	b, next, err := h.log.ReadLog(h.read, 1<<30)
	if err != nil {
		return err.Error()
	}
	h.read = next
	var types []string
	for len(b) > 0 {
		var batch record.Batch
		if batch, b, err = record.Split(b); err != nil {
			return err.Error()
		}
		for r, err := range batch.Records(record.Limits{}) {
			if err != nil {
				return err.Error()
			}
			one := strconv.Itoa(int(r.Key[0])<<8 | int(r.Key[1]))
			if r.Value == nil {
				one = "-" + one
			}
			types = append(types, one)
		}
	}
	return strings.Join(types, " ")
}

func scriptTopicID(name string) (id model.ID) {
	copy(id[:], name)
	return id
}

// topic makes a topic of so many partitions, lets one grow, or removes it.
func (h *house) topic(name string, n int32) {
	image := h.image.Load()
	var recs []metadata.Record
	t, ok := image.Topic(name)
	has := int32(0)
	switch {
	case ok && n == 0:
		recs = append(recs, metadata.RemoveTopic{ID: t.ID})
	case ok:
		has = int32(len(t.Partitions))
	case n > 0:
		recs = append(recs, metadata.AddTopic{ID: scriptTopicID(name), Name: name})
	}
	for p := has; p < n; p++ {
		recs = append(recs, metadata.AddPartition{Topic: scriptTopicID(name), Number: p, Partition: metadata.Partition{Leader: 1, Replicas: []int32{1}, ISR: []int32{1}, Dirs: []model.ID{{}}}})
	}
	h.apply(recs...)
}

func (h *house) apply(recs ...metadata.Record) {
	image := h.image.Load()
	next, err := image.Apply(recs, image.Offset+1)
	if err != nil {
		h.Fatal(err)
	}
	h.image.Store(next)
	h.service.Load().ImageMoved()
	h.stale.Load().ImageMoved()
}

// scriptParts reads t:0+1,u:2; "-" is none.
func scriptParts(s string) map[string][]int32 {
	all := map[string][]int32{}
	if s == "-" {
		return all
	}
	for _, one := range strings.Split(s, ",") {
		topic, numbers, _ := strings.Cut(one, ":")
		for _, n := range strings.Split(numbers, "+") {
			v, err := strconv.Atoi(n)
			if err != nil {
				panic(err)
			}
			all[topic] = append(all[topic], int32(v))
		}
	}
	return all
}

func showParts(all map[string][]int32) string {
	if len(all) == 0 {
		return "-"
	}
	var s []string
	for _, topic := range slices.Sorted(maps.Keys(all)) {
		var numbers []string
		for _, n := range all[topic] {
			numbers = append(numbers, strconv.Itoa(int(n)))
		}
		s = append(s, topic+":"+strings.Join(numbers, "+"))
	}
	return strings.Join(s, ",")
}

// consumerAssignmentOf is what a leader that knows consumers would assign; "!" before it
// adds bytes of its own.
func consumerAssignmentOf(s string) []byte {
	s, own := strings.CutPrefix(s, "!")
	var a kmsg.ConsumerMemberAssignment
	for topic, partitions := range scriptParts(s) {
		a.Topics = append(a.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic, Partitions: partitions})
	}
	if own {
		a.UserData = []byte("own")
	}
	return a.AppendTo(nil)
}

// showAssignment shows an assignment that the coordinator made as partitions, any other
// as it is.
func showAssignment(b []byte) string {
	a, err := parseAssignment(b)
	if err != nil || len(b) == 0 || b[0] != 0 {
		return fmt.Sprintf("%q", b)
	}
	all := map[string][]int32{}
	for _, tp := range a.partitions {
		all[tp.topic] = tp.partitions
	}
	return showParts(all)
}

func heartbeatRequest(group, id string, args map[string]string) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch = int16(num(args, "v", 1)), group, lengthen(id), num(args, "epoch", 0)
	if id == "?" {
		req.MemberID = ""
	}
	req.InstanceID, req.RackID, req.ServerAssignor, req.SubscribedTopicRegex = ptr(args, "inst"), ptr(args, "rack"), ptr(args, "assignor"), ptr(args, "regex")
	req.RebalanceTimeoutMillis = -1
	if req.MemberEpoch == 0 || args["rebalance"] != "" {
		req.RebalanceTimeoutMillis = ms(args, "rebalance", "60s")
	}
	if topics, ok := args["topics"]; ok {
		req.SubscribedTopicNames = []string{}
		if topics != "-" {
			req.SubscribedTopicNames = strings.Split(topics, "+")
		}
	}
	has, says := args["has"]
	if req.MemberEpoch == 0 && !says {
		has, says = "-", true
	}
	if says && has != "null" {
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		for topic, partitions := range scriptParts(has) {
			req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: scriptTopicID(topic), Partitions: partitions})
		}
	}
	return req
}

func (h *house) showHeartbeat(r *kmsg.ConsumerGroupHeartbeatResponse) string {
	if r.ErrorCode != 0 {
		return errorName(r.ErrorCode)
	}
	s := fmt.Sprintf("epoch=%d", r.MemberEpoch)
	if r.HeartbeatIntervalMillis != 0 && r.HeartbeatIntervalMillis != 5000 {
		s += fmt.Sprintf(" every=%v", millis(r.HeartbeatIntervalMillis))
	}
	if r.Assignment != nil {
		all := map[string][]int32{}
		for _, t := range r.Assignment.Topics {
			name, _, _ := strings.Cut(string(t.TopicID[:]), "\x00")
			all[name] = t.Partitions
		}
		s += " " + showParts(all)
	}
	return s
}

func showConsumerDescribe(r *kmsg.ConsumerGroupDescribeResponse) string {
	g := r.Groups[0]
	if g.ErrorCode != 0 {
		return errorName(g.ErrorCode)
	}
	s := fmt.Sprintf("%s epoch=%d target=%d by=%s", g.State, g.Epoch, g.AssignmentEpoch, g.AssignorName)
	named := func(a kmsg.Assignment) string {
		all := map[string][]int32{}
		for _, t := range a.TopicPartitions {
			all[t.Topic] = t.Partitions
		}
		return showParts(all)
	}
	for _, m := range g.Members {
		s += fmt.Sprintf(" %s@%d=%s", m.MemberID, m.MemberEpoch, named(m.Assignment))
		if now, target := named(m.Assignment), named(m.TargetAssignment); now != target {
			s += "→" + target
		}
		if m.MemberType == 0 {
			s += "(classic)"
		}
	}
	return s
}
