package rebalance

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// heartbeat is that of the Java client.
const heartbeat = 3 * time.Second

// classic is the life of a member of the classic protocol, with the eager range assignor.
func classic(m *member) error {
	c, err := dial(m.crowd.ctx, m.address)
	if err != nil {
		return err
	}
	defer c.close()
	id := ""
	for m.ctx.Err() == nil {
		id, err = m.generation(c, id)
		if err != nil {
			return err
		}
	}
	if id == "" {
		return nil
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	lm := kmsg.NewLeaveGroupRequestMember()
	lm.MemberID = id
	req.Members = append(req.Members, lm)
	_, err = ask[*kmsg.LeaveGroupResponse](c, req, 5)
	return err
}

// generation joins, takes what it is given, and stays until the group rebalances.
func (m *member) generation(c *conn, id string) (string, error) {
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.MemberID, join.ProtocolType = group, id, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 45000, 300000
	p := kmsg.NewJoinGroupRequestProtocol()
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics = 1, []string{topic}
	p.Name, p.Metadata = "range", meta.AppendTo(nil)
	join.Protocols = append(join.Protocols, p)
	joined, err := ask[*kmsg.JoinGroupResponse](c, join, 9)
	if err != nil {
		return id, fmt.Errorf("join: %w", err)
	}
	switch kerr.ErrorForCode(joined.ErrorCode) {
	case nil:
	case kerr.MemberIDRequired:
		return joined.MemberID, nil
	case kerr.UnknownMemberID:
		return "", nil
	case kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator:
		m.pause(100 * time.Millisecond)
		return id, nil
	default:
		return id, fmt.Errorf("join: %w", kerr.ErrorForCode(joined.ErrorCode))
	}
	id = joined.MemberID
	leads, count := joined.LeaderID == id, m.partitions()
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = group, id, joined.Generation
	sync.ProtocolType, sync.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	if leads && !joined.SkipAssignment {
		sync.GroupAssignment = ranges(joined.Members, count)
	}
	synced, err := ask[*kmsg.SyncGroupResponse](c, sync, 5)
	if err != nil {
		return id, fmt.Errorf("sync: %w", err)
	}
	switch kerr.ErrorForCode(synced.ErrorCode) {
	case nil:
	case kerr.RebalanceInProgress:
		return id, nil
	case kerr.UnknownMemberID:
		return "", nil
	default:
		return id, fmt.Errorf("sync: %w", kerr.ErrorForCode(synced.ErrorCode))
	}
	var given kmsg.ConsumerMemberAssignment
	if err := given.ReadFrom(synced.MemberAssignment); err != nil {
		return id, fmt.Errorf("assignment: %w", err)
	}
	var owned []int32
	for _, t := range given.Topics {
		owned = append(owned, t.Partitions...)
	}
	m.has(joined.Generation, owned)
	return m.stay(c, id, joined.Generation, leads, count)
}

// stay sends heartbeats until the group rebalances, or, as the leader, until the topic has
// other partitions than it has given out.
func (m *member) stay(c *conn, id string, generation int32, leads bool, count int32) (string, error) {
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Group, beat.MemberID, beat.Generation = group, id, generation
	for {
		if leads {
			if !m.pauseUnlessGrown(count) {
				return id, nil
			}
		} else if !m.pause(heartbeat) {
			return id, nil
		}
		r, err := ask[*kmsg.HeartbeatResponse](c, beat, 4)
		if err != nil {
			return id, fmt.Errorf("heartbeat: %w", err)
		}
		switch kerr.ErrorForCode(r.ErrorCode) {
		case nil:
		case kerr.RebalanceInProgress, kerr.IllegalGeneration:
			return id, nil
		case kerr.UnknownMemberID:
			return "", nil
		default:
			return id, fmt.Errorf("heartbeat: %w", kerr.ErrorForCode(r.ErrorCode))
		}
	}
}

// pauseUnlessGrown is a pause that ends early, with false, when the topic has grown: a
// leader looks at the metadata.
func (m *member) pauseUnlessGrown(count int32) bool {
	end := time.After(heartbeat)
	for {
		m.mu.Lock()
		changed, now := m.changed, m.count
		m.mu.Unlock()
		if now != count {
			return false
		}
		select {
		case <-changed:
		case <-m.ctx.Done():
			return false
		case <-end:
			return true
		}
	}
}

// ranges gives each member, by its id, as many partitions in a row as the others.
func ranges(members []kmsg.JoinGroupResponseMember, count int32) (all []kmsg.SyncGroupRequestGroupAssignment) {
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b kmsg.JoinGroupResponseMember) int { return cmp.Compare(a.MemberID, b.MemberID) })
	n := int32(len(members))
	next := int32(0)
	for i, m := range members {
		k := count / n
		if int32(i) < count%n {
			k++
		}
		given := kmsg.NewConsumerMemberAssignment()
		t := kmsg.NewConsumerMemberAssignmentTopic()
		t.Topic = topic
		for range k {
			t.Partitions = append(t.Partitions, next)
			next++
		}
		given.Topics = append(given.Topics, t)
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = m.MemberID, given.AppendTo(nil)
		all = append(all, a)
	}
	return all
}
