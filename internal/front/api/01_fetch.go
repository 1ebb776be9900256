package api

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/front/fetchsession"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch, key 1, versions 4–18.
//
//	4  isolation level                      13 topic ids (KIP-516)
//	5  log start offset                     14 OFFSET_MOVED_TO_TIERED_STORAGE
//	7  fetch sessions (KIP-227)             15 replica state (KIP-903)
//	9  current leader epoch (KIP-320)       16 leader hints (KIP-951)
//	10 zstd                                 17 directory id of a replica (KIP-853)
//	11 rack, preferred replica (KIP-392)    18 high watermark of a replica (KIP-1166)
//	12 last fetched epoch (KIP-595)
//
// If there is enough to send it is answered at once, on the connection's reader. Else
// the request watches its partitions and looks again at those that move, until there is
// enough or its time is up. A session goes on watching between its requests, and only
// what has moved is looked at: partitions that rest cost nothing.
func (s *Server) fetch(c *wire.Conn, r *wire.Request) wire.Pending {
	f := &fetching{server: s, request: r, req: kmsg.NewFetchRequest(), version: r.Version, listener: c.Listener()}
	f.results, f.wanted = f.room.results[:0], f.room.wanted[:0]
	if err := s.read(&f.req, r); err != nil {
		return refuse(err)
	}
	r.Release()
	if err := f.begin(c); err != nil {
		return r.Ready(f.failure(err))
	}
	f.look()
	known := f.enough()
	if known && len(f.beyond()) == 0 {
		return r.Ready(f.reply())
	}
	deadline := time.Now().Add(time.Duration(f.req.MaxWaitMillis) * time.Millisecond)
	r.WillWait = func() bool { return true }
	return func(ctx context.Context) (wire.Reply, error) {
		if !known {
			if err := f.wait(ctx, deadline); err != nil {
				f.end()
				return nil, fmt.Errorf("fetch: %w", err)
			}
		}
		f.settle(ctx, f.beyond())
		return f.reply(), nil
	}
}

// fetching is a Fetch between its request and its answer.
type fetching struct {
	server   *Server
	request  *wire.Request
	req      kmsg.FetchRequest
	version  int16
	listener string

	session  *fetchsession.Session
	kept     bool // the session outlives the request
	watching bool // and is told of what moves
	whole    bool // every partition is answered, changed or not

	most    int // bytes of the answer
	wanted  []fetchsession.Wanted
	results []fetched
	places  map[*fetchsession.Partition]int // of results, once there is a second look
	bytes   int
	done    bool // some partition has an error, or cannot go on as it is

	room struct { // for a request of one partition, as most without a session are
		wishes  [1]fetchsession.Wish
		wanted  [1]fetchsession.Wanted
		results [1]fetched
	}
}

// begin finds out what is wanted: by the request alone, or by its session.
func (f *fetching) begin(c *wire.Conn) error {
	req, cache, now := &f.req, f.server.sessions, time.Now()
	byID := f.version >= 13
	f.most = f.budget()
	if f.version >= 7 && req.SessionID != 0 && (req.SessionEpoch == fetchsession.Final || req.SessionEpoch == fetchsession.Initial) {
		cache.Remove(req.SessionID)
	}
	switch {
	case f.version < 7 || req.SessionEpoch == fetchsession.Final:
		f.whole = true
		f.session = fetchsession.New(byID, f.replica() >= 0, f.wants(), now)
		return nil
	case req.SessionEpoch == fetchsession.Initial:
		f.whole = true
		f.session = fetchsession.New(byID, f.replica() >= 0, f.wants(), now)
		f.kept = f.session.Len() > 0 && cache.Add(f.session, now) != 0
	default:
		var err error
		if f.session, err = cache.Use(req.SessionID, req.SessionEpoch, byID, now, f.wants(), f.forgotten()); err != nil {
			return err
		}
		f.kept = true
		f.session.Refresh(now, f.server.refreshAfter())
	}
	if f.watching = f.kept; f.kept {
		f.session.Bind(c.Context(), now)
	}
	return nil
}

// refreshAfter is how often all partitions of a session are looked at, whether they move or
// not, so that a leader goes on knowing that its followers have everything.
func (s *Server) refreshAfter() time.Duration {
	lag := time.Duration(config.ReplicaLagTimeMaxMs.Get(s.cfg.Settings())) * time.Millisecond
	return min(lag/4, 10*time.Second)
}

func (f *fetching) wants() []fetchsession.Wish {
	n := 0
	for i := range f.req.Topics {
		n += len(f.req.Topics[i].Partitions)
	}
	wants := f.room.wishes[:0]
	if n > len(f.room.wishes) {
		wants = make([]fetchsession.Wish, 0, n)
	}
	for i := range f.req.Topics {
		t := &f.req.Topics[i]
		for _, p := range t.Partitions {
			wants = append(wants, fetchsession.Wish{
				Key: fetchsession.Key{ID: t.TopicID, Topic: t.Topic, Partition: p.Partition},
				Want: fetchsession.Want{
					FetchOffset: p.FetchOffset, LogStartOffset: p.LogStartOffset, MaxBytes: p.PartitionMaxBytes,
					CurrentLeaderEpoch: p.CurrentLeaderEpoch, LastFetchedEpoch: p.LastFetchedEpoch,
				},
			})
		}
	}
	return wants
}

func (f *fetching) forgotten() []fetchsession.Key {
	var keys []fetchsession.Key
	for _, t := range f.req.ForgottenTopics {
		for _, p := range t.Partitions {
			keys = append(keys, fetchsession.Key{ID: t.TopicID, Topic: t.Topic, Partition: p})
		}
	}
	return keys
}

// replica is the broker id of a follower that asks, -1 for a consumer.
func (f *fetching) replica() int32 {
	if f.version >= 15 {
		return f.req.ReplicaState.ID
	}
	return f.req.ReplicaID
}

// enough reports whether the answer need not wait for more.
func (f *fetching) enough() bool {
	return f.done || f.req.MaxWaitMillis <= 0 || f.bytes >= int(f.req.MinBytes) || f.session.Len() == 0
}

// wait looks again at what moves, until there is enough or time is up.
func (f *fetching) wait(ctx context.Context, deadline time.Time) error {
	f.watch()
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		if f.look(); f.enough() {
			return nil
		}
		select {
		case <-f.session.Marked():
		case <-timer.C:
			f.look()
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// budget is how many bytes the answer may have: what the client allows, and no more
// than the broker's fetch.max.bytes, which does not bind followers.
func (f *fetching) budget() int {
	most := math.MaxInt32
	if f.replica() < 0 {
		most = f.server.fetchMaxBytes()
	}
	if f.req.MaxBytes > 0 {
		most = min(most, int(f.req.MaxBytes))
	}
	return most
}

// topicOf names the partition of a session by name, which one by id does not have.
func (f *fetching) topicOf(k fetchsession.Key) (model.TopicPartition, error) {
	if f.version < 13 {
		return model.TopicPartition{Topic: k.Topic, Partition: k.Partition}, nil
	}
	t, ok := f.server.cfg.Feed.Image().TopicByID(k.ID)
	if !ok {
		return model.TopicPartition{Partition: k.Partition}, kerr.UnknownTopicID
	}
	return model.TopicPartition{Topic: t.Name, Partition: k.Partition}, nil
}
