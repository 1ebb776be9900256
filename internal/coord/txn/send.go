package txn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var _ = failpoint.Register("txn.markers.before_send", "txn.markers.after_answer")

type askFunc = func(ctx context.Context, node int32, req kmsg.Request) (kmsg.Response, error)

// What one request bears at most.
const (
	maxMarkers    = 1000
	maxPartitions = 10_000
)

// send asks a broker to write markers until its queue is empty.
func (s *sender) send(ctx context.Context, node int32, q *queue) {
	for {
		asking, giveUp := context.WithCancel(ctx)
		load, req := s.take(q, giveUp)
		if len(load) == 0 {
			giveUp()
			return
		}
		failpoint.Hit("txn.markers.before_send", s.on)
		written, failed, err := s.deliverTo(asking, node, load, req)
		failpoint.Hit("txn.markers.after_answer", s.on)
		giveUp()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.log.Log(ctx, loudness(failed), "markers of transactions have to be sent again", "broker", node, "transactions", len(failed), "reason", err)
		}
		s.deliver(written)
		s.retry(failed)
	}
}

// loudness is how loud it is said that parcels failed: what fails again and again is
// known.
func loudness(failed []*parcel) slog.Level {
	if slices.ContainsFunc(failed, func(p *parcel) bool { return p.attempts == 0 }) {
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// take takes what the next request bears; nothing ends the goroutine of the queue.
func (s *sender) take(q *queue, giveUp context.CancelFunc) (load []*parcel, req *kmsg.WriteTxnMarkersRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, partitions := 0, 0
	for _, p := range q.parcels {
		if len(load) == maxMarkers || partitions >= maxPartitions {
			break
		}
		n++
		if s.current(p) {
			load = append(load, p)
			partitions += len(p.partitions)
		}
	}
	clear(q.parcels[:n])
	if q.parcels = q.parcels[n:]; len(q.parcels) == 0 {
		q.parcels = nil
	}
	q.busy, q.asked, q.giveUp = len(load) > 0, load, giveUp
	return load, request(load)
}

// retry has parcels wait, and go to whoever leads then.
func (s *sender) retry(failed []*parcel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range failed {
		if s.current(p) {
			s.park(p)
		}
	}
}

// deliverTo has a broker write markers: which are written, which have to be tried again,
// and an example of why.
func (s *sender) deliverTo(ctx context.Context, node int32, load []*parcel, req *kmsg.WriteTxnMarkersRequest) (written, failed []*parcel, err error) {
	answer, err := s.ask(ctx, node, req)
	resp, ok := answer.(*kmsg.WriteTxnMarkersResponse)
	if err == nil && !ok {
		err = fmt.Errorf("broker %d answers WriteTxnMarkers with %T", node, answer)
	}
	if err != nil {
		return nil, s.rest(load), err
	}
	codes := codesOf(resp)
	for _, p := range s.rest(load) {
		var done, again []model.TopicPartition
		for _, tp := range p.partitions {
			c, ok := codes[target{p.producerID, tp}]
			if !ok {
				c = kerr.UnknownServerError.Code
			}
			if reason := s.verdict(p, tp, c); reason == nil {
				done = append(done, tp)
			} else {
				again, err = append(again, tp), reason
			}
		}
		if len(done) > 0 {
			written = append(written, p.part(done))
		}
		if len(again) > 0 {
			failed = append(failed, p.part(again))
		}
	}
	return written, failed, err
}

// rest is what of a load has not moved to other brokers meanwhile, and will not.
func (s *sender) rest(load []*parcel) (rest []*parcel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range load {
		if len(p.partitions) > 0 {
			rest = append(rest, p.part(p.partitions))
		}
		p.partitions = nil
	}
	return rest
}

// verdict is nil if a partition needs no marker any more, and otherwise why it has to be
// sent again.
func (s *sender) verdict(p *parcel, tp model.TopicPartition, c int16) error {
	err := kerr.ErrorForCode(c)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.InvalidProducerEpoch):
		// The partition knows a newer epoch of the producer. Only the coordinator gives
		// epochs, and none while this transaction is prepared, so it is over there.
		s.log.Warn("partition refuses the marker of a transaction", "id", p.id, "partition", tp.String(),
			"producer", p.producerID, "epoch", p.epoch, "reason", err)
		return nil
	case errors.Is(err, kerr.UnsupportedForMessageFormat), errors.Is(err, kerr.UnsupportedVersion):
		return nil // such a partition never took a record of a transaction
	}
	return err
}

// request is the markers of parcels.
func request(load []*parcel) *kmsg.WriteTxnMarkersRequest {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	for _, p := range load {
		m := kmsg.WriteTxnMarkersRequestMarker{
			ProducerID: p.producerID, ProducerEpoch: p.epoch, Committed: p.commit,
			CoordinatorEpoch: p.epochOf, TransactionVersion: p.version,
		}
		for _, tp := range p.partitions {
			if n := len(m.Topics); n == 0 || m.Topics[n-1].Topic != tp.Topic {
				m.Topics = append(m.Topics, kmsg.WriteTxnMarkersRequestMarkerTopic{Topic: tp.Topic})
			}
			last := &m.Topics[len(m.Topics)-1]
			last.Partitions = append(last.Partitions, tp.Partition)
		}
		req.Markers = append(req.Markers, m)
	}
	return req
}

// target is a partition that a producer's marker is for.
type target struct {
	producerID int64
	model.TopicPartition
}

func codesOf(resp *kmsg.WriteTxnMarkersResponse) map[target]int16 {
	codes := map[target]int16{}
	for _, m := range resp.Markers {
		for _, rt := range m.Topics {
			for _, p := range rt.Partitions {
				codes[target{m.ProducerID, model.TopicPartition{Topic: rt.Topic, Partition: p.Partition}}] = p.ErrorCode
			}
		}
	}
	return codes
}
