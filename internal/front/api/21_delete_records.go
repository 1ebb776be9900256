package api

import (
	"context"
	"slices"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteRecords, key 21, versions 0–2 (KIP-107): moves the log start of partitions up
// to an offset, or to the high watermark where it says -1. The new start is durable
// when the answer comes, and the followers have it too.
//
//	2  flexible
func (s *Server) deleteRecords(ctx context.Context, _ *Request, req *kmsg.DeleteRecordsRequest) (kmsg.Response, error) {
	ctx, cancel := s.patience(ctx, req.TimeoutMillis)
	defer cancel()
	resp := kmsg.NewPtrDeleteRecordsResponse()
	var begun []deletion
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			begun = append(begun, s.deleteBefore(model.TopicPartition{Topic: t.Topic, Partition: p.Partition}, p.Offset))
		}
	}
	for _, t := range req.Topics {
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			low, err := s.deleted(ctx, begun[0])
			begun = begun[1:]
			rp := kmsg.NewDeleteRecordsResponseTopicPartition()
			rp.Partition, rp.LowWatermark, rp.ErrorCode = p.Partition, low, model.ErrorCode(err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

// deletion is one that has begun: the leader's log starts at start.
type deletion struct {
	replica *partition.Partition
	start   int64
	err     error
}

func (s *Server) deleteBefore(tp model.TopicPartition, before int64) (d deletion) {
	if model.Internal(tp.Topic) {
		return deletion{err: kerr.InvalidTopicException}
	}
	if d.replica, d.err = s.cfg.Host.Partition(tp); d.err == nil {
		d.start, d.err = s.cfg.Host.DeleteRecords(d.replica, before)
	}
	return d
}

// deleted waits until the followers that are alive, or may lead as they are, start as late as
// the leader: until then the records could come back with one of them as the leader. Kafka
// does not wait for those that may lead and are away (KIP-966); as a write would be refused
// while there are any, so is this: REQUEST_TIMED_OUT.
func (s *Server) deleted(ctx context.Context, d deletion) (low int64, err error) {
	if d.err != nil {
		return -1, d.err
	}
	w := partition.NewWaiter()
	d.replica.Watch(w)
	defer d.replica.Unwatch(w)
	for {
		low, err := d.replica.LowWatermark(func(node int32) bool { return s.mayLead(d.replica.TP(), node) })
		if err != nil || low >= d.start {
			return low, err
		}
		select {
		case <-w.C:
		case <-ctx.Done():
			return low, kerr.RequestTimedOut
		}
	}
}

// mayLead reports whether a replica may lead, now or when it comes back, without having fetched
// anything before.
func (s *Server) mayLead(tp model.TopicPartition, node int32) bool {
	_, p, ok := s.cfg.Feed.Image().Partition(tp.Topic, tp.Partition)
	return s.alive(node) || ok && slices.Contains(p.ELR, node)
}

// alive reports whether a broker is there and not fenced.
func (s *Server) alive(id int32) bool {
	b, ok := s.cfg.Feed.Image().Broker(id)
	return ok && !b.Fenced
}
