package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// WriteTxnMarkers, key 27, versions 1–2: a coordinator ends transactions on the partitions
// that this broker leads. Tools that abort a hanging transaction send it, too (KIP-664).
//
//	1  flexible
//	2  the transaction.version by which a marker was made (KIP-1228)
//
// A partition is answered when its marker is committed, and so may be written twice: a
// coordinator that hears nothing asks again.
func (s *Server) writeTxnMarkers(ctx context.Context, _ *Request, req *kmsg.WriteTxnMarkersRequest) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ControlTimeout)
	defer cancel()
	var ends []*ending
	for i := range req.Markers {
		m := &req.Markers[i]
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				ends = append(ends, &ending{marker: m, tp: model.TopicPartition{Topic: t.Topic, Partition: p}})
			}
		}
	}
	s.endTxns(ctx, ends)
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, err
	}
	return markersWritten(req, ends), nil
}

// ending is the end of a transaction on one partition.
type ending struct {
	marker  *kmsg.WriteTxnMarkersRequestMarker
	tp      model.TopicPartition
	replica *partition.Partition
	end     int64
	epoch   int32
	err     error
}

// endTxns appends all markers before it waits for any. Those of groups are commands of
// their coordinator, which answers them when they are committed: each is asked beside the
// others, so that one sync of the disk makes many of them durable.
func (s *Server) endTxns(ctx context.Context, ends []*ending) {
	var group sync.WaitGroup
	atOnce := make(chan struct{}, markersAtOnce)
	for _, e := range ends {
		switch {
		case e.marker.ProducerID < 0 || e.marker.ProducerEpoch < 0:
			e.err = kerr.InvalidProducerIDMapping
		case e.tp.Topic == model.TransactionStateTopic, e.tp.Topic == model.ShareGroupStateTopic:
			// They have no transactions, and no writer but their coordinator, which would end.
			e.err = kerr.UnsupportedForMessageFormat
		case e.tp.Topic == model.ConsumerOffsetsTopic:
			atOnce <- struct{}{}
			group.Go(func() {
				e.err = s.endInGroups(ctx, e)
				<-atOnce
			})
		default:
			s.endInLog(e)
		}
	}
	for _, e := range ends {
		if e.replica != nil { // it is in the log; what others do is theirs until the end
			e.err = e.replica.Wait(ctx, e.end, e.epoch)
		}
	}
	group.Wait()
}

// markersAtOnce is how many commands to coordinators of groups one request has at a time.
const markersAtOnce = 128

func (e *ending) record() record.EndTxnMarker {
	return record.EndTxnMarker{Commit: e.marker.Committed, CoordinatorEpoch: e.marker.CoordinatorEpoch}
}

func (s *Server) endInLog(e *ending) {
	replica, err := s.cfg.Host.Partition(e.tp)
	if err == nil {
		b := record.EndTxn(e.marker.ProducerID, e.marker.ProducerEpoch, e.record(), s.cfg.Clock.Millis(time.Now()))
		e.end, e.epoch, err = replica.AppendMarker(b, model.NoEpoch, int16(e.marker.TransactionVersion))
	}
	if e.err = err; err == nil {
		e.replica = replica
	}
}

func (s *Server) endInGroups(ctx context.Context, e *ending) error {
	if _, err := s.cfg.Host.Partition(e.tp); err != nil {
		return err
	}
	producer := runtime.Producer{ID: e.marker.ProducerID, Epoch: e.marker.ProducerEpoch}
	err := s.cfg.Groups.CompleteTxn(ctx, e.tp.Partition, producer, e.record(), int16(e.marker.TransactionVersion))
	for _, unready := range []error{kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator} {
		if errors.Is(err, unready) {
			return kerr.NotLeaderForPartition // coordinators of transactions expect no coordinator here
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return kerr.RequestTimedOut
	}
	return err
}

// markersWritten words the answer: a producer once, with its topics in the order in which
// they were named.
func markersWritten(req *kmsg.WriteTxnMarkersRequest, ends []*ending) *kmsg.WriteTxnMarkersResponse {
	resp := kmsg.NewPtrWriteTxnMarkersResponse()
	type place struct {
		producer int64
		topic    string
	}
	markers, topics := make(map[int64]int), make(map[place]int)
	for i := range req.Markers {
		id := req.Markers[i].ProducerID
		if _, known := markers[id]; !known {
			markers[id] = len(resp.Markers)
			m := kmsg.NewWriteTxnMarkersResponseMarker()
			m.ProducerID = id
			resp.Markers = append(resp.Markers, m)
		}
	}
	for _, e := range ends {
		m := &resp.Markers[markers[e.marker.ProducerID]]
		at := place{e.marker.ProducerID, e.tp.Topic}
		if _, known := topics[at]; !known {
			topics[at] = len(m.Topics)
			t := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			t.Topic = e.tp.Topic
			m.Topics = append(m.Topics, t)
		}
		t := &m.Topics[topics[at]]
		p := kmsg.NewWriteTxnMarkersResponseMarkerTopicPartition()
		p.Partition, p.ErrorCode = e.tp.Partition, model.ErrorCode(e.err)
		t.Partitions = append(t.Partitions, p)
	}
	return resp
}
