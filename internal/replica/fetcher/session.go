package fetcher

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/twmb/franz-go/pkg/kerr"
)

// session is the follower's end of an incremental fetch session (KIP-227): the leader
// remembers the partitions, and is told of changes only.
type session struct {
	id    int32 // 0: none
	epoch int32 // of the next request; 0 begins a session, and ends the one that id names
}

// full reports whether the next request must name every partition.
func (s *session) full() bool { return s.id == 0 || s.epoch == 0 }

// lost begins a new session in the place of this one.
func (s *session) lost() { s.epoch = 0 }

// answered moves on after an answer without error.
func (s *session) answered(id int32) {
	switch {
	case id == 0: // the leader has no room for sessions
		*s = session{}
	case s.epoch == math.MaxInt32:
		*s = session{id, 1}
	default:
		*s = session{id, s.epoch + 1}
	}
}

// refused moves on after an error.
func (s *session) refused(err error) {
	if err == kerr.FetchSessionIDNotFound {
		*s = session{}
		return
	}
	s.epoch = 0
}

// build makes the next request.
func (f *Fetcher) build(now time.Time) {
	r := &f.req
	r.Partitions, r.Forgotten = r.Partitions[:0], r.Forgotten[:0]
	full := f.session.full()
	if full {
		for _, st := range f.states {
			if st.inSession = false; st.phase == fetching {
				f.soil(st)
			}
		}
	}
	for _, st := range f.dirty {
		if st.isDirty = false; st.phase != fetching || f.held(st, now) {
			continue
		}
		st.inSession = true
		r.Partitions = append(r.Partitions, wire.FetchPartition{
			ID: st.id, CurrentEpoch: st.epoch, Offset: st.offset, LastFetchedEpoch: st.lastEpoch,
			LogStart: st.start, MaxBytes: int32(f.maxBytes),
		})
	}
	for _, id := range f.left {
		// One that has come back in the same request must not be forgotten by it.
		if st := f.states[id]; !full && (st == nil || !st.inSession) {
			r.Forgotten = append(r.Forgotten, id)
		}
	}
	clear(f.dirty)
	f.dirty, f.left = f.dirty[:0], f.left[:0]
	slices.SortFunc(r.Partitions, func(a, b wire.FetchPartition) int { return compareIDs(a.ID, b.ID) })
	slices.SortFunc(r.Forgotten, compareIDs)
	r.Replica, r.ReplicaEpoch = f.cfg.Self, f.cfg.Epoch()
	r.MinBytes, r.MaxBytes = int32(f.cfg.MinBytes), int32(f.cfg.AnswerBytes)
	r.SessionID, r.SessionEpoch = f.session.id, f.session.epoch
}

// patience is how long the leader may wait for records: not beyond the end of a rest.
func (f *Fetcher) patience(now time.Time) time.Duration {
	wait := f.wait
	f.wait = min(2*f.wait, f.cfg.Wait)
	if len(f.fresh) > 0 {
		return 0
	}
	if len(f.resting) > 0 {
		wait = min(wait, max(f.resting[0].until.Sub(now), time.Millisecond))
	}
	return wait
}

// fetch asks, and leaves the answer in resp.
func (f *Fetcher) fetch(ctx context.Context) error {
	now := time.Now()
	f.build(now)
	polling, wait, done := f.inbox.poll(ctx, f.patience(now))
	defer done()
	f.req.MaxWaitMillis = int32(wait / time.Millisecond)
	return f.client.FetchRaw(polling, &f.req, &f.resp)
}
