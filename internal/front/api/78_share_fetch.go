package api

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/odradek/odradek/internal/coord/delivery"
	"github.com/odradek/odradek/internal/front/sharesession"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ShareFetch, key 78, versions 1 and 2 (KIP-932).
//
//	2  acquire modes (KIP-1206), renewal of locks (KIP-1222)
//
// A member of a share group acquires records that nobody else has, and may acknowledge what
// it had before in the same breath: that is done first, in the order of arrival. A session
// remembers what is read. If there is something to deliver it is answered at once; else the
// request watches its partitions, and looks again at those where something has come, or was
// given back, until its time is up. An answer leaves when what was acknowledged is stored.
func (s *Server) shareFetch(c *wire.Conn, r *wire.Request) wire.Pending {
	req := kmsg.NewPtrShareFetchRequest()
	if err := s.read(req, r); err != nil {
		return refuse(err)
	}
	r.Release()
	f := &shareFetching{server: s, request: r, req: req, listener: c.Listener()}
	err := f.begin(c)
	if isKerr(err, kerr.ShareSessionLimitReached) {
		return f.turnAway(err)
	}
	if err != nil {
		return r.Ready(f.failure(err))
	}
	if f.look(); f.enough() && f.settled() {
		return r.Ready(f.reply())
	}
	deadline := time.Now().Add(time.Duration(req.MaxWaitMillis) * time.Millisecond)
	r.WillWait = func() bool { return true }
	return func(ctx context.Context) (wire.Reply, error) {
		if err := f.wait(ctx, deadline); err != nil {
			f.end()
			return nil, fmt.Errorf("share fetch: %w", err)
		}
		return f.reply(), nil
	}
}

// shareFetching is a ShareFetch between its request and its answer.
type shareFetching struct {
	server   *Server
	request  *wire.Request
	req      *kmsg.ShareFetchRequest
	listener string
	key      sharesession.Key

	acks  []*shareAcked // in the order of the request
	parts []*sharePart  // in the order in which they are read; none if nothing is wanted
	ask   delivery.Ask  // MaxRecords is what is left of it
	bytes int           // what is left of the answer
	marks shareMarks
	now   bool // some partition has what the client had better hear at once
	some  bool // something was delivered
}

// begin checks the request, moves the session on, does what is acknowledged and finds out
// what is wanted.
func (f *shareFetching) begin(c *wire.Conn) (err error) {
	req := f.req
	if f.key, err = f.server.shareMember(req.GroupID, req.MemberID); err != nil {
		return err
	}
	if m := req.ShareAcquireMode; m != batchOptimizedMode && m != recordLimitMode {
		return model.Explain(kerr.InvalidRequest, fmt.Sprintf("There is no acquire mode %d.", m))
	}
	if err := f.checkRenewal(); err != nil {
		return err
	}
	parts, err := f.session(c)
	if err != nil {
		return err
	}
	f.acknowledge()
	if req.IsRenewAck || req.MaxRecords <= 0 || req.MaxBytes <= 0 {
		return nil
	}
	f.ask = delivery.Ask{Member: f.key.Member, RecordLimit: req.ShareAcquireMode == recordLimitMode,
		BatchSize: int(req.BatchSize), MaxRecords: int(req.MaxRecords)}
	f.bytes = min(int(req.MaxBytes), f.server.fetchMaxBytes())
	f.parts = make([]*sharePart, len(parts))
	for i, id := range rotated(parts, req.ShareSessionEpoch) {
		f.parts[i] = &sharePart{id: id}
	}
	return nil
}

// The acquire modes: in the second one MaxRecords binds.
const (
	batchOptimizedMode = 0
	recordLimitMode    = 1
)

// checkRenewal refuses a renewal of locks that wants records as well: until those are there
// the locks might have ended again.
func (f *shareFetching) checkRenewal() error {
	req := f.req
	if !req.IsRenewAck {
		return nil
	}
	said := ""
	for _, field := range []struct {
		name  string
		value int32
	}{{"maxBytes", req.MaxBytes}, {"minBytes", req.MinBytes}, {"maxRecords", req.MaxRecords}, {"maxWaitMs", req.MaxWaitMillis}} {
		if field.value != 0 {
			said += field.name + " must be set to 0, "
		}
	}
	if said == "" {
		return nil
	}
	return model.Explain(kerr.InvalidRequest, said+"if isRenewAck is true.")
}

// session opens a session, moves it on or sees that there is one to close, and returns what
// is to be read.
func (f *shareFetching) session(c *wire.Conn) ([]model.IDPartition, error) {
	named, forgotten, acknowledges := f.named()
	cache := f.server.shareSessions
	switch f.req.ShareSessionEpoch {
	case sharesession.Initial:
		if acknowledges {
			return nil, model.Explain(kerr.InvalidRequest, "A share session does not begin with acknowledgements.")
		}
		return distinct(named), cache.Open(c.Context(), f.key, named)
	case sharesession.Final:
		return nil, cache.Has(f.key)
	}
	return cache.Use(f.key, f.req.ShareSessionEpoch, named, forgotten)
}

// named are the partitions of the request.
func (f *shareFetching) named() (named, forgotten []model.IDPartition, acknowledges bool) {
	for i := range f.req.Topics {
		t := &f.req.Topics[i]
		for j := range t.Partitions {
			named = append(named, model.IDPartition{Topic: t.TopicID, Partition: t.Partitions[j].Partition})
			acknowledges = acknowledges || len(t.Partitions[j].AcknowledgementBatches) > 0
		}
	}
	for _, t := range f.req.ForgottenTopicsData {
		for _, p := range t.Partitions {
			forgotten = append(forgotten, model.IDPartition{Topic: t.TopicID, Partition: p})
		}
	}
	return named, forgotten, acknowledges
}

// acknowledge begins what the request wants done with records.
func (f *shareFetching) acknowledge() {
	for i := range f.req.Topics {
		t := &f.req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if len(p.AcknowledgementBatches) == 0 {
				continue
			}
			acks := make([]delivery.Ack, len(p.AcknowledgementBatches))
			for k, b := range p.AcknowledgementBatches {
				acks[k] = delivery.Ack{First: b.FirstOffset, Last: b.LastOffset, Types: b.AcknowledgeTypes}
			}
			id := model.IDPartition{Topic: t.TopicID, Partition: p.Partition}
			f.acks = append(f.acks, f.server.shareAcknowledge(f.key, id, acks, f.request.Version, f.req.IsRenewAck))
		}
	}
}

// distinct leaves out what was named before.
func distinct(parts []model.IDPartition) []model.IDPartition {
	known := make(map[model.IDPartition]struct{}, len(parts))
	list := parts[:0:0]
	for _, p := range parts {
		if _, ok := known[p]; !ok {
			known[p] = struct{}{}
			list = append(list, p)
		}
	}
	return list
}

// rotated begins another partition with each request, so that none starves.
func rotated(parts []model.IDPartition, epoch int32) []model.IDPartition {
	if len(parts) < 2 || epoch < 1 {
		return parts
	}
	at := int(epoch) % len(parts)
	return append(append(parts[:0:0], parts[at:]...), parts[:at]...)
}

// turnAway answers a client for whom there is no session, when its time is up: it asks
// again at once.
func (f *shareFetching) turnAway(err error) wire.Pending {
	wait := time.Duration(max(0, f.req.MaxWaitMillis)) * time.Millisecond
	return func(ctx context.Context) (wire.Reply, error) {
		if !sleep(ctx, wait) {
			return nil, context.Cause(ctx)
		}
		return f.failure(err), nil
	}
}

// enough reports whether the answer need not wait for records.
func (f *shareFetching) enough() bool {
	if f.some || f.now || f.req.MaxWaitMillis <= 0 {
		return true
	}
	for _, p := range f.parts {
		if p.err == nil {
			return false
		}
	}
	return true
}

// settled reports whether nothing is left to be stored, nor a session to be closed.
func (f *shareFetching) settled() bool {
	for _, a := range f.acks {
		if !a.verdict.Ready() {
			return false
		}
		a.err = a.verdict.Wait(context.Background())
	}
	return f.req.ShareSessionEpoch != sharesession.Final
}

// wait looks again at what moves until there is something or time is up, and then waits
// until what was acknowledged is stored.
func (f *shareFetching) wait(ctx context.Context, deadline time.Time) error {
	if !f.enough() {
		if err := f.await(ctx, deadline); err != nil {
			return err
		}
	}
	for _, a := range f.acks {
		if err := a.wait(ctx); err != nil {
			return err
		}
	}
	switch {
	case f.req.ShareSessionEpoch == sharesession.Final:
		f.server.closeShareSession(f.key)
	case f.some && f.server.shareSessions.Has(f.key) != nil:
		f.giveBack() // the session has ended meanwhile, and with it what the member had
	}
	return nil
}

// giveBack releases what was delivered to a member that has gone.
func (f *shareFetching) giveBack() {
	for _, p := range f.parts {
		if p.Len > 0 {
			f.server.cfg.Deliveries.Release(f.key.Group, f.key.Member, p.id)
		}
	}
}

func (f *shareFetching) await(ctx context.Context, deadline time.Time) error {
	defer f.unwatch()
	f.watch()
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		if f.look(); f.enough() {
			return nil
		}
		select {
		case <-f.marks.C:
		case <-timer.C:
			f.req.MinBytes = math.MinInt32 // whatever there is
			f.markAll()
			f.look()
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
