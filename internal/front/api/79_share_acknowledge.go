package api

import (
	"context"
	"fmt"

	"github.com/odradek/odradek/internal/coord/delivery"
	"github.com/odradek/odradek/internal/front/sharesession"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ShareAcknowledge, key 79, versions 1 and 2 (KIP-932).
//
//	2  renewal of locks (KIP-1222), the time that a lock lasts
//
// A member of a share group says what became of records that it had acquired. It is done in
// the order of arrival, and answered when it is stored. The last request of a session gives
// back what the member has not acknowledged.
func (s *Server) shareAcknowledges(c *wire.Conn, r *wire.Request) wire.Pending {
	req := kmsg.NewPtrShareAcknowledgeRequest()
	if err := s.read(req, r); err != nil {
		return refuse(err)
	}
	r.Release()
	k, err := s.shareMember(req.GroupID, req.MemberID)
	if err == nil {
		err = s.acknowledgeSession(k, req.ShareSessionEpoch)
	}
	if err != nil {
		resp := kmsg.NewPtrShareAcknowledgeResponse()
		resp.ErrorCode, resp.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
		return r.Ready(wire.Message(resp))
	}
	var acked []*shareAcked
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			acks := make([]delivery.Ack, len(p.AcknowledgementBatches))
			for n, b := range p.AcknowledgementBatches {
				acks[n] = delivery.Ack{First: b.FirstOffset, Last: b.LastOffset, Types: b.AcknowledgeTypes}
			}
			acked = append(acked, s.shareAcknowledge(k, model.IDPartition{Topic: t.TopicID, Partition: p.Partition}, acks, r.Version, req.IsRenewAck))
		}
	}
	listener := c.Listener()
	return func(ctx context.Context) (wire.Reply, error) {
		for _, a := range acked {
			if err := a.wait(ctx); err != nil {
				return nil, fmt.Errorf("share acknowledge: %w", err)
			}
		}
		if req.ShareSessionEpoch == sharesession.Final {
			s.closeShareSession(k)
		}
		return wire.Message(s.shareAcknowledged(k, listener, acked)), nil
	}
}

// acknowledgeSession moves the session on; the first request of one is a fetch.
func (s *Server) acknowledgeSession(k sharesession.Key, epoch int32) error {
	switch epoch {
	case sharesession.Initial:
		return kerr.InvalidShareSessionEpoch
	case sharesession.Final:
		return s.shareSessions.Has(k)
	}
	return s.shareSessions.Touch(k, epoch)
}

// shareAcknowledged answers each partition in the order of the request.
func (s *Server) shareAcknowledged(k sharesession.Key, listener string, acked []*shareAcked) kmsg.Response {
	resp := kmsg.NewPtrShareAcknowledgeResponse()
	resp.AcquisitionLockTimeoutMillis = s.shareLock(k.Group)
	leaders := map[int32]bool{}
	for _, a := range acked {
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].TopicID != a.id.Topic {
			resp.Topics = append(resp.Topics, kmsg.ShareAcknowledgeResponseTopic{TopicID: a.id.Topic})
		}
		p := kmsg.NewShareAcknowledgeResponseTopicPartition()
		p.Partition, p.ErrorCode, p.ErrorMessage = a.id.Partition, model.ErrorCode(a.err), model.ErrorMessage(a.err)
		p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = s.leaderHint(a.tp, a.err, leaders)
		t := &resp.Topics[len(resp.Topics)-1]
		t.Partitions = append(t.Partitions, p)
	}
	for n := range nodes(s.cfg.Feed.Image(), listener, false) {
		if leaders[n.id] {
			resp.NodeEndpoints = append(resp.NodeEndpoints, kmsg.ShareAcknowledgeResponseNodeEndpoint{NodeID: n.id, Host: n.host, Port: n.port, Rack: n.rack})
		}
	}
	return resp
}
