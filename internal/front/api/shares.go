package api

import (
	"context"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/coord/delivery"
	"github.com/odradek/odradek/internal/front/sharesession"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Deliveries are the share partitions that this broker leads: delivery.Service.
type Deliveries interface {
	// Open returns kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition or
	// kerr.UnknownTopicID.
	Open(group string, tp model.TopicPartition, id model.ID) (*delivery.Share, error)
	Acknowledge(group, member string, tp model.TopicPartition, id model.ID, acks []delivery.Ack) *delivery.Verdict
	Release(group, member string, id model.IDPartition) *delivery.Verdict
	Forget(group string, alone func() bool)
	Lock(group string) time.Duration
}

// newShareSessions makes the sessions of members of share groups.
func (s *Server) newShareSessions() *sharesession.Cache {
	return sharesession.NewCache(func() int { return config.GroupShareMaxShareSessions.Get(s.cfg.Settings()) }, s.shareSessionEnded)
}

// shareSessionEnded gives back what the member had; when the last of a group has gone
// nothing of it is kept, as its offsets may be changed then.
func (s *Server) shareSessionEnded(e sharesession.Ended) {
	for _, id := range e.Parts {
		s.cfg.Deliveries.Release(e.Group, e.Member, id)
	}
	if e.Last {
		s.cfg.Deliveries.Forget(e.Group, func() bool { return !s.shareSessions.Any(e.Group) })
	}
}

func (s *Server) closeShareSession(k sharesession.Key) {
	if e, ok := s.shareSessions.Close(k); ok {
		s.shareSessionEnded(e)
	}
}

// longestMember is the length of a member id: that of a UUID.
const longestMember = 36

// shareMember checks who asks.
func (s *Server) shareMember(group, member *string) (sharesession.Key, error) {
	enabled := s.cfg.Deliveries != nil && s.shareGroups(s.cfg.Feed.Image())
	switch {
	case !enabled:
		return sharesession.Key{}, kerr.UnsupportedVersion
	case group == nil || *group == "":
		return sharesession.Key{}, model.Explain(kerr.InvalidRequest, "Invalid group id in the request.")
	case member == nil || *member == "" || len(*member) > longestMember:
		return sharesession.Key{}, model.Explain(kerr.InvalidRequest, "Invalid member id in the request.")
	}
	return sharesession.Key{Group: *group, Member: *member}, nil
}

// shareLock is how long members may keep records, in milliseconds.
func (s *Server) shareLock(group string) int32 {
	return int32(s.cfg.Deliveries.Lock(group) / time.Millisecond)
}

// shareTopic names a partition.
func (s *Server) shareTopic(id model.IDPartition) (model.TopicPartition, error) {
	t, ok := s.cfg.Feed.Image().TopicByID(id.Topic)
	if !ok {
		return model.TopicPartition{Partition: id.Partition}, kerr.UnknownTopicID
	}
	tp := model.TopicPartition{Topic: t.Name, Partition: id.Partition}
	if id.Partition < 0 || int(id.Partition) >= len(t.Partitions) {
		return tp, kerr.UnknownTopicOrPartition
	}
	return tp, nil
}

// shareAcked is what a request acknowledges of one partition.
type shareAcked struct {
	id      model.IDPartition
	tp      model.TopicPartition
	verdict *delivery.Verdict
	err     error // once wait has returned
}

// shareAcknowledge begins what a member wants done with records of a partition.
func (s *Server) shareAcknowledge(k sharesession.Key, id model.IDPartition, acks []delivery.Ack, version int16, renew bool) *shareAcked {
	a := &shareAcked{id: id}
	var err error
	if a.tp, err = s.shareTopic(id); isKerr(err, kerr.UnknownTopicID) {
		a.verdict = delivery.Decided(err)
		return a
	}
	newest := delivery.Reject
	if version >= 2 && renew {
		newest = delivery.Renew
	}
	if bad := delivery.Check(acks, newest); bad != nil {
		err = bad
	}
	if err != nil || len(acks) == 0 {
		a.verdict = delivery.Decided(err)
		return a
	}
	a.verdict = s.cfg.Deliveries.Acknowledge(k.Group, k.Member, a.tp, id.Topic, acks)
	return a
}

// wait returns when it is stored; an error is the end of the connection.
func (a *shareAcked) wait(ctx context.Context) error {
	if a.err = a.verdict.Wait(ctx); a.err != nil && ctx.Err() != nil && !a.verdict.Ready() {
		return context.Cause(ctx)
	}
	return nil
}
