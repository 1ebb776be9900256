package api

import (
	"errors"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/front/fetchsession"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
)

// fetched is what was read of one partition. The result's slice is released when the
// answer was written.
type fetched struct {
	want    *fetchsession.Partition
	tp      model.TopicPartition
	replica *partition.Partition // nil if it is not here
	partition.ReadResult
	err error
}

// read reads every partition in order, as far as the answer has room. The first that
// has records gives at least one batch, however large (KIP-74).
func (f *fetching) read() {
	left := f.budget()
	f.results, f.bytes, f.failed = f.results[:0], 0, false
	for _, want := range f.wanted {
		r := fetched{want: want}
		if r.tp, r.err = f.topicOf(want.Key); r.err == nil {
			f.readOne(&r, left)
		}
		f.failed = f.failed || r.err != nil || r.Diverging != nil
		f.bytes += r.Len
		left = max(0, left-r.Len)
		f.results = append(f.results, r)
	}
}

func (f *fetching) readOne(r *fetched, left int) {
	if r.replica, r.err = f.server.cfg.Host.Partition(r.tp); r.err != nil {
		return
	}
	if f.replica() >= 0 {
		// A follower that the partition does not have: nobody may read beyond the high
		// watermark by calling itself one (CVE-2018-1288).
		r.err = kerr.NotLeaderForPartition
		return
	}
	r.ReadResult, r.err = r.replica.Read(partition.ReadArgs{
		From:             r.want.FetchOffset,
		MaxBytes:         min(left, int(r.want.MaxBytes)),
		MinOne:           f.bytes == 0,
		CurrentEpoch:     since(f.version, 9, r.want.CurrentLeaderEpoch),
		LastFetchedEpoch: since(f.version, 12, r.want.LastFetchedEpoch),
	})
	if errors.Is(r.err, kerr.KafkaStorageError) && f.version <= 5 {
		r.err = kerr.NotLeaderForPartition // what old clients know
	}
}

// since is an epoch that a request has from a version on.
func since(version, first int16, epoch int32) int32 {
	if version < first {
		return model.NoEpoch
	}
	return epoch
}

// release gives back the files that the results hold.
func (f *fetching) release() {
	for i := range f.results {
		if f.results[i].Len > 0 {
			f.results[i].Release()
			f.results[i].Len = 0
		}
	}
}

// watch has a waiter woken when any of the partitions moves, until unwatch.
func (f *fetching) watch() (*partition.Waiter, []*partition.Partition) {
	w := partition.NewWaiter()
	var watched []*partition.Partition
	for i := range f.results {
		if p := f.results[i].replica; p != nil {
			p.Watch(w)
			watched = append(watched, p)
		}
	}
	return w, watched
}

func unwatch(w *partition.Waiter, watched []*partition.Partition) {
	for _, p := range watched {
		p.Unwatch(w)
	}
}

func (s *Server) fetchMaxBytes() int { return config.FetchMaxBytes.Get(s.cfg.Settings()) }
