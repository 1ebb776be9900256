package rebalance

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// modern is the life of a member of the protocol of KIP-848: it does what heartbeats tell
// it, and says at once when it has done so.
func modern(m *member) error {
	c, err := dial(m.crowd.ctx, m.address)
	if err != nil {
		return err
	}
	defer c.close()
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID = group, base64.RawURLEncoding.EncodeToString(id[:])
	var owned []int32
	epoch := int32(0)
	for whole := true; m.ctx.Err() == nil; {
		req.MemberEpoch, req.Topics = epoch, nil
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames = -1, nil
		if epoch == 0 {
			owned = nil
			req.RebalanceTimeoutMillis, req.SubscribedTopicNames = 300000, []string{topic}
		}
		if whole {
			req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			if len(owned) > 0 {
				req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: m.topicID, Partitions: owned})
			}
		}
		r, err := ask[*kmsg.ConsumerGroupHeartbeatResponse](c, req, 1)
		if err != nil {
			return fmt.Errorf("heartbeat: %w", err)
		}
		switch kerr.ErrorForCode(r.ErrorCode) {
		case nil:
		case kerr.FencedMemberEpoch, kerr.UnknownMemberID:
			epoch, whole = 0, true
			continue
		case kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator:
			whole = true
			m.pause(100 * time.Millisecond)
			continue
		default:
			return fmt.Errorf("heartbeat: %w", kerr.ErrorForCode(r.ErrorCode))
		}
		epoch, whole = r.MemberEpoch, false
		if r.Assignment != nil {
			var given []int32
			for _, t := range r.Assignment.Topics {
				given = append(given, t.Partitions...)
			}
			slices.Sort(given)
			whole = !slices.Equal(given, owned) // it tells at once
			owned = given
		}
		m.has(epoch, owned)
		if !whole && !m.pause(time.Duration(r.HeartbeatIntervalMillis)*time.Millisecond) {
			break
		}
	}
	req.MemberEpoch, req.Topics, req.SubscribedTopicNames = -1, nil, nil
	_, err = ask[*kmsg.ConsumerGroupHeartbeatResponse](c, req, 1)
	return err
}
