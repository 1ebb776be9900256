package behaviour

import (
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
