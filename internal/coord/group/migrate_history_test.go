package group

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// classicLife is that of a process which speaks the classic protocol, and revokes all that
// it has whenever it joins.
func (w *worker) classicLife() {
	w.mu.Lock()
	w.id = ""
	w.mu.Unlock()
	w.subscribe(true)
	for w.over.Err() == nil {
		w.drop()
		if !w.joinClassic() {
			w.pause(w.rng, 500)
			continue
		}
		for w.over.Err() == nil {
			w.pause(w.rng, 1500)
			if w.ends(true) {
				if w.rng.IntN(2) == 0 {
					w.leaveClassic()
				}
				return
			}
			if w.mischief(15) {
				w.subscribe(true)
				break
			}
			if w.led != nil && w.led != w.image.Load() {
				break // leaders of classic groups watch the topics
			}
			if err := w.heartbeat(); err != nil && !again(err) {
				if err == kerr.FencedInstanceID {
					return
				}
				if err != kerr.RebalanceInProgress {
					w.forget()
				}
				break
			}
		}
	}
}

func (w *worker) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.id = ""
	clear(w.uses)
	w.fenced++
}

func (w *worker) heartbeat() error {
	ctx, cancel := context.WithTimeout(w.over, 2*time.Second)
	defer cancel()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.Generation, req.InstanceID = 4, "g", w.id, w.epoch, w.instance
	resp := w.coordinator().Heartbeat(ctx, w.caller(), req)
	if ctx.Err() != nil {
		return nil
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

func (w *worker) leaveClassic() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	w.drop()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group = 5, "g"
	req.Members = []kmsg.LeaveGroupRequestMember{{MemberID: w.id, InstanceID: w.instance}}
	w.coordinator().LeaveGroup(ctx, w.caller(), req)
}

// joinClassic gets into a generation and uses what it is assigned.
func (w *worker) joinClassic() bool {
	ctx, cancel := context.WithTimeout(w.over, 15*time.Second)
	defer cancel()
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.ProtocolType = 9, "g", w.id, w.instance, consumerProtocol
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 6000, 8000
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics = 1, w.names
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: meta.AppendTo(nil)}}
	resp := w.coordinator().JoinGroup(ctx, w.caller(), req)
	if ctx.Err() != nil {
		return false
	}
	switch err := kerr.ErrorForCode(resp.ErrorCode); {
	case err == nil, err == kerr.MemberIDRequired:
		w.mu.Lock()
		w.id = resp.MemberID
		w.mu.Unlock()
	case !again(err) && err != kerr.RebalanceInProgress:
		w.forget()
	}
	if resp.ErrorCode != 0 {
		return false
	}
	w.epoch = resp.Generation
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Version, sync.Group, sync.MemberID, sync.Generation, sync.InstanceID = 5, "g", w.id, w.epoch, w.instance
	sync.ProtocolType, sync.Protocol = resp.ProtocolType, resp.Protocol
	w.led = nil
	if resp.LeaderID == w.id {
		w.led = w.image.Load()
		if !resp.SkipAssignment {
			sync.GroupAssignment = w.lead(resp.Members)
		}
	}
	got := w.coordinator().SyncGroup(ctx, w.caller(), sync)
	if ctx.Err() != nil {
		return false
	}
	switch err := kerr.ErrorForCode(got.ErrorCode); {
	case err == nil:
	case !again(err) && err != kerr.RebalanceInProgress:
		w.forget()
		return false
	default:
		return false
	}
	a, err := parseAssignment(got.MemberAssignment)
	if err != nil {
		w.mu.Lock()
		w.problems = append(w.problems, fmt.Sprintf("assignment %q: %v", got.MemberAssignment, err))
		w.mu.Unlock()
		return false
	}
	assigned := map[model.IDPartition]bool{}
	for _, tp := range a.partitions {
		for _, n := range tp.partitions {
			assigned[model.IDPartition{Topic: scriptTopicID(tp.topic), Partition: n}] = true
		}
	}
	w.gain(assigned)
	return true
}

// lead assigns each topic's partitions in turn to those who want it.
func (w *worker) lead(members []kmsg.JoinGroupResponseMember) []kmsg.SyncGroupRequestGroupAssignment {
	all := map[string]map[string][]int32{}
	slices.SortFunc(members, func(a, b kmsg.JoinGroupResponseMember) int { return len(a.MemberID) - len(b.MemberID) })
	for _, name := range historyTopics {
		t, ok := w.image.Load().Topic(name)
		if !ok {
			continue
		}
		var takers []string
		for _, m := range members {
			if s, err := parseSubscription(m.ProtocolMetadata); err == nil && slices.Contains(s.topics, name) {
				takers = append(takers, m.MemberID)
			}
		}
		for n := range t.Partitions {
			if len(takers) > 0 {
				id := takers[n%len(takers)]
				if all[id] == nil {
					all[id] = map[string][]int32{}
				}
				all[id][name] = append(all[id][name], int32(n))
			}
		}
	}
	var assignments []kmsg.SyncGroupRequestGroupAssignment
	for _, m := range members {
		var a kmsg.ConsumerMemberAssignment
		for _, name := range slices.Sorted(maps.Keys(all[m.MemberID])) {
			a.Topics = append(a.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: name, Partitions: all[m.MemberID][name]})
		}
		assignments = append(assignments, kmsg.SyncGroupRequestGroupAssignment{MemberID: m.MemberID, MemberAssignment: a.AppendTo(nil)})
	}
	return assignments
}
