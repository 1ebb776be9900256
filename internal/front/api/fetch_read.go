package api

import (
	"errors"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/front/fetchsession"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
)

// fetched is what was read of one partition. The result's slice is released when the
// answer was written.
type fetched struct {
	want    fetchsession.Wanted
	tp      model.TopicPartition
	replica *partition.Partition // nil if it is not here
	partition.ReadResult
	preferred int32 // the replica that the client had better ask, -1 for this one
	told      bool  // the answer speaks of it
	err       error
}

// look reads the partitions that may have something to tell, in order, as far as the
// answer has room. The first that has records gives at least one batch, however large
// (KIP-74).
func (f *fetching) look() {
	f.wanted = f.session.Take(f.wanted[:0])
	for _, w := range f.wanted {
		r := f.place(w)
		if r.tp, r.err = f.topicOf(w.Part.Key); r.err == nil {
			f.readOne(r, max(0, f.most-f.bytes))
		}
		f.done = f.done || r.err != nil || r.Diverging != nil || r.preferred >= 0
		f.bytes += r.Len
	}
}

// place is where the result of a partition goes; one of an earlier look is given back.
func (f *fetching) place(w fetchsession.Wanted) *fetched {
	i, again := f.places[w.Part]
	if !again {
		i = len(f.results)
		f.results = append(f.results, fetched{})
		if f.places != nil {
			f.places[w.Part] = i
		}
	}
	r := &f.results[i]
	f.bytes -= r.Len
	r.release()
	*r = fetched{want: w, preferred: -1}
	return r
}

// watch has the session told of what moves from now on. What was read without being
// watched is read again: something may have happened in between.
func (f *fetching) watch() {
	f.places = make(map[*fetchsession.Partition]int, len(f.results))
	for i := range f.results {
		f.places[f.results[i].want.Part] = i
	}
	if f.watching {
		return
	}
	f.watching = true
	for i := range f.results {
		f.session.Mark(f.results[i].want.Part)
	}
}

func (f *fetching) readOne(r *fetched, left int) {
	r.replica, r.err = f.server.cfg.Host.Partition(r.tp)
	if f.watching {
		f.session.Watch(r.want.Part, r.replica)
	}
	if r.err != nil {
		return
	}
	args := partition.ReadArgs{
		From:             r.want.FetchOffset,
		MaxBytes:         min(left, int(r.want.MaxBytes)),
		MinOne:           f.bytes == 0,
		CurrentEpoch:     since(f.version, 9, r.want.CurrentLeaderEpoch),
		LastFetchedEpoch: since(f.version, 12, r.want.LastFetchedEpoch),
		Committed:        f.req.IsolationLevel == readCommitted,
	}
	if node := f.replica(); node >= 0 {
		if f.server.holdsBack(r.replica, node, time.Now()) {
			args.MaxBytes, args.MinOne = 0, false // it goes on telling how far it is
		}
		r.ReadResult, r.err = r.replica.ReadAsFollower(partition.FollowerFetch{
			Node: node, BrokerEpoch: f.brokerEpoch(), ReadArgs: args, LogStart: r.want.LogStartOffset})
	} else {
		f.readForConsumer(r, args)
	}
	if errors.Is(r.err, kerr.KafkaStorageError) && f.version <= 5 {
		r.err = kerr.NotLeaderForPartition // what old clients know
	}
}

// brokerEpoch is the registration of a follower that asks, -1 if it does not tell.
func (f *fetching) brokerEpoch() int64 {
	if f.version < 15 {
		return -1
	}
	return f.req.ReplicaState.Epoch
}

// readForConsumer reads what is committed. Consumers that know of it (11) are served by
// followers too, and are sent to one that is nearer (KIP-392).
func (f *fetching) readForConsumer(r *fetched, args partition.ReadArgs) {
	args.AllowFollower = f.version >= 11
	if f.version >= 11 && f.req.Rack != "" {
		if r.preferred = f.nearest(r); r.preferred >= 0 {
			args.MaxBytes, args.MinOne = 0, false
		}
	}
	r.ReadResult, r.err = r.replica.Read(args)
	if r.err != nil || r.Diverging != nil {
		r.preferred = -1
	}
}

// since is an epoch that a request has from a version on.
func since(version, first int16, epoch int32) int32 {
	if version < first {
		return model.NoEpoch
	}
	return epoch
}

// release gives back the file that a result holds.
func (r *fetched) release() {
	if r.Len > 0 {
		r.Release()
		r.Len = 0
	}
}

// unread reports whether there is more in the partition than was read of it.
func (r *fetched) unread(follower bool) bool {
	if r.Len > 0 || r.err != nil || r.Diverging != nil || r.preferred >= 0 {
		return true
	}
	switch {
	case follower:
		return r.want.FetchOffset < r.End
	case r.Aborted != nil:
		return r.want.FetchOffset < r.Stable
	}
	return r.want.FetchOffset < r.HW
}

// end gives back what the request holds.
func (f *fetching) end() {
	for i := range f.results {
		f.results[i].release()
	}
	if !f.kept {
		f.session.Close()
	}
}

// readCommitted is the isolation level of a client that wants to see of transactions only
// what was committed.
const readCommitted = 1

func (s *Server) fetchMaxBytes() int { return config.FetchMaxBytes.Get(s.cfg.Settings()) }
