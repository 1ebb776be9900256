package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A consumer that is told that its place is out of range begins anew. A leader that was replaced
// and does not know of it, as when its disk stands still, may tell that to one that has read on
// from its successor. So it asks first whether another leads (Config.Undisputed).
const (
	disputeTime = time.Second // then the consumer is sent to look for the leader
	disputes    = 16          // partitions of a request that are asked about, at the same time
)

// beyond returns what is about to be told that it lies beyond the end of the log.
func (f *fetching) beyond() (list []*fetched) {
	if !f.done || f.replica() >= 0 || f.server.cfg.Undisputed == nil {
		return nil
	}
	for i := range f.results {
		if r := &f.results[i]; errors.Is(r.err, kerr.OffsetOutOfRange) && r.want.FetchOffset > r.End && len(r.replica.Role().Replicas) > 1 {
			list = append(list, r)
		}
	}
	return list
}

// settle waits until it is known who leads what is about to be told so. Who asks for many such places at
// once is told of some, and asks again for the others.
func (f *fetching) settle(ctx context.Context, list []*fetched) {
	ctx, cancel := context.WithTimeout(ctx, disputeTime)
	defer cancel()
	var asked sync.WaitGroup
	for i, r := range list {
		if i >= disputes {
			r.err = kerr.NotLeaderForPartition
			continue
		}
		asked.Go(func() {
			if f.server.cfg.Undisputed(ctx, r.tp) != nil {
				r.err = kerr.NotLeaderForPartition
			}
		})
	}
	asked.Wait()
}
