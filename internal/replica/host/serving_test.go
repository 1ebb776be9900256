package host

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// serving answers followers, as front/api does, with a session each.
type serving struct {
	node     *node
	mu       sync.Mutex // guards what follows
	sessions map[int32]*serveSession
	lastID   int32
}

type serveSession struct {
	epoch  int32
	parts  map[model.IDPartition]kmsg.FetchRequestTopicPartition
	told   map[model.IDPartition][2]int64 // hw and log start
	turn   []model.IDPartition            // who is served next
	dirty  map[model.IDPartition]bool     // to be looked at
	waiter map[model.IDPartition]*partition.Waiter
	moved  chan struct{}
	marks  sync.Mutex

	refreshed time.Time
}

// refreshAfter is how often all partitions of a session are looked at: a leader that nobody
// writes to learns so in which registration its followers are.
const refreshAfter = 2 * time.Second

// Serve answers.
func (s *serving) Serve(_ *wire.Conn, r *wire.Request) wire.Pending {
	switch r.Key {
	case 18:
		resp := kmsg.NewPtrApiVersionsResponse()
		for _, key := range []int16{1, 2, 18} {
			v, _ := wire.Lookup(key)
			resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MinVersion: v.Min, MaxVersion: v.Max})
		}
		return r.Ready(wire.Message(resp))
	case 2:
		req := kmsg.NewPtrListOffsetsRequest()
		decode(r, req)
		return r.Ready(wire.Message(s.listOffsets(req)))
	}
	req := kmsg.NewPtrFetchRequest()
	decode(r, req)
	s.node.mu.Lock()
	s.node.fetches++
	s.node.mu.Unlock()
	return func(ctx context.Context) (wire.Reply, error) { return s.fetch(ctx, r, req) }
}

func decode(r *wire.Request, req kmsg.Request) {
	req.SetVersion(r.Version)
	if err := req.ReadFrom(slices.Clone(r.Body)); err != nil {
		panic(err)
	}
}

// session finds or makes the session of a request; nil if its epoch is another one.
func (s *serving) session(req *kmsg.FetchRequest) (*serveSession, int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := req.SessionID
	ss := s.sessions[id]
	switch {
	case req.SessionEpoch == 0:
		s.lastID++
		delete(s.sessions, id)
		id = s.lastID
		ss = &serveSession{
			parts: make(map[model.IDPartition]kmsg.FetchRequestTopicPartition), told: make(map[model.IDPartition][2]int64),
			dirty: make(map[model.IDPartition]bool), waiter: make(map[model.IDPartition]*partition.Waiter), moved: make(chan struct{}, 1),
		}
		s.sessions[id] = ss
	case ss == nil || ss.epoch+1 != req.SessionEpoch:
		return nil, 0
	default:
		ss.epoch++
	}
	if now := time.Now(); now.Sub(ss.refreshed) >= refreshAfter {
		ss.refreshed = now
		for id := range ss.parts {
			ss.mark(id)
		}
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			ss.take(s.node, model.IDPartition{Topic: t.TopicID, Partition: p.Partition}, p)
		}
	}
	for _, t := range req.ForgottenTopics {
		for _, p := range t.Partitions {
			delete(ss.parts, model.IDPartition{Topic: t.TopicID, Partition: p})
		}
	}
	return ss, id
}

// take notes what is asked of a partition, and watches it.
func (ss *serveSession) take(n *node, id model.IDPartition, p kmsg.FetchRequestTopicPartition) {
	ss.parts[id] = p
	ss.mark(id)
	if ss.waiter[id] != nil {
		return
	}
	if part, err := n.host.PartitionByID(id); err == nil {
		w := partition.NewWaiter()
		w.Ends, w.Notify = true, func() { ss.mark(id) }
		ss.waiter[id] = w
		part.Watch(w)
	}
}

func (ss *serveSession) mark(id model.IDPartition) {
	ss.marks.Lock()
	defer ss.marks.Unlock()
	if !ss.dirty[id] {
		ss.dirty[id] = true
		ss.turn = append(ss.turn, id)
	}
	select {
	case ss.moved <- struct{}{}:
	default:
	}
}

func (ss *serveSession) takeDirty() []model.IDPartition {
	ss.marks.Lock()
	defer ss.marks.Unlock()
	turn := ss.turn
	ss.turn = nil
	clear(ss.dirty)
	return turn
}

func (s *serving) fetch(ctx context.Context, r *wire.Request, req *kmsg.FetchRequest) (wire.Reply, error) {
	resp := kmsg.NewPtrFetchResponse()
	ss, id := s.session(req)
	if ss == nil {
		resp.ErrorCode = 70 // FETCH_SESSION_ID_NOT_FOUND
		return wire.Message(resp), nil
	}
	resp.SessionID = id
	until := time.NewTimer(time.Duration(req.MaxWaitMillis) * time.Millisecond)
	defer until.Stop()
	var records [][]byte
	for last := req.MaxWaitMillis == 0; ; {
		if records = s.read(ss, req, resp); len(resp.Topics) > 0 || last {
			break
		}
		select {
		case <-ss.moved:
		case <-until.C:
			last = true
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return wire.Fetch(r, resp, func(t, _ int) wire.Part { return wire.Part{Bytes: records[t]} }, nil), nil
}

// read looks at the partitions that something has happened to.
func (s *serving) read(ss *serveSession, req *kmsg.FetchRequest, resp *kmsg.FetchResponse) (records [][]byte) {
	left := int(req.MaxBytes)
	for _, id := range ss.takeDirty() {
		asked, ok := ss.parts[id]
		if !ok {
			continue
		}
		p := kmsg.NewFetchResponseTopicPartition()
		p.Partition = id.Partition
		var b []byte
		part, err := s.node.host.PartitionByID(id)
		if err == nil {
			b, err = s.readOne(ss, part, req, asked, left, len(records) == 0, &p)
		}
		p.ErrorCode = model.ErrorCode(err)
		told := [2]int64{p.HighWatermark, p.LogStartOffset}
		if len(b) > 0 || err != nil {
			ss.mark(id) // it has had its turn, and may have more
		}
		if err == nil && len(b) == 0 && p.DivergingEpoch.EndOffset < 0 && ss.told[id] == told {
			continue
		}
		ss.told[id] = told
		left -= len(b)
		t := kmsg.NewFetchResponseTopic()
		t.TopicID, t.Partitions = id.Topic, append(t.Partitions, p)
		resp.Topics, records = append(resp.Topics, t), append(records, b)
	}
	return records
}

func (s *serving) readOne(ss *serveSession, part *partition.Partition, req *kmsg.FetchRequest, asked kmsg.FetchRequestTopicPartition, left int, first bool, p *kmsg.FetchResponseTopicPartition) ([]byte, error) {
	res, err := part.ReadAsFollower(partition.FollowerFetch{
		Node: req.ReplicaState.ID, BrokerEpoch: req.ReplicaState.Epoch, LogStart: asked.LogStartOffset,
		ReadArgs: partition.ReadArgs{
			From: asked.FetchOffset, MaxBytes: min(left, int(asked.PartitionMaxBytes)), MinOne: first,
			CurrentEpoch: asked.CurrentLeaderEpoch, LastFetchedEpoch: asked.LastFetchedEpoch,
		},
	})
	if err != nil {
		return nil, err
	}
	defer res.Slice.Release()
	p.HighWatermark, p.LogStartOffset = res.HW, res.Start
	if d := res.Diverging; d != nil {
		p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = d.Epoch, d.End
		return nil, nil
	}
	return res.Slice.ReadAll(nil)
}

func (s *serving) listOffsets(req *kmsg.ListOffsetsRequest) *kmsg.ListOffsetsResponse {
	resp := kmsg.NewPtrListOffsetsResponse()
	for _, t := range req.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewListOffsetsResponseTopicPartition()
			rp.Partition = p.Partition
			part, err := s.node.host.Partition(model.TopicPartition{Topic: t.Topic, Partition: p.Partition})
			var o partition.Offsets
			if err == nil {
				o, err = part.Offsets()
			}
			if rp.ErrorCode, rp.Offset = model.ErrorCode(err), o.End; p.Timestamp == model.OffsetEarliest {
				rp.Offset = o.Start
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
