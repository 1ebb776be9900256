package fetcher

import (
	"context"
	"fmt"
	"sync"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/proto/model"
)

// Fleet is the fetchers of a broker: a few connections to each broker that leads what is
// kept here too. Safe for concurrent use.
type Fleet struct {
	cfg  Config
	kick chan struct{} // one token when there is a fetcher to be started

	mu       sync.Mutex           // guards what follows; taken before an inbox's
	fetchers map[int32][]*Fetcher // by leader
	followed map[model.IDPartition]*Fetcher
	toStart  []*Fetcher
}

// NewFleet returns a fleet that follows nobody. Run must be called for anything to move.
func NewFleet(cfg Config) *Fleet {
	return &Fleet{
		cfg: cfg, kick: make(chan struct{}, 1),
		fetchers: make(map[int32][]*Fetcher), followed: make(map[model.IDPartition]*Fetcher),
	}
}

// Follow has a replica fetch from a leader in an epoch, and from no other. It does not
// wait.
func (f *Fleet) Follow(r Replica, leader, epoch int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.ID()
	to := f.fetcher(leader, id)
	if was := f.followed[id]; was != nil && was != to {
		was.inbox.tell(id, change{})
	}
	f.followed[id] = to
	to.inbox.tell(id, change{r, epoch})
}

// Unfollow ends the fetching of a partition.
func (f *Fleet) Unfollow(id model.IDPartition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if was := f.followed[id]; was != nil {
		was.inbox.tell(id, change{})
		delete(f.followed, id)
	}
}

// Returned tells that a broker has come back, maybe at another address.
func (f *Fleet) Returned(broker int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.fetchers[broker] {
		one.inbox.hurry()
	}
}

// fetcher is the one for a partition of a leader. mu is held.
func (f *Fleet) fetcher(leader int32, id model.IDPartition) *Fetcher {
	list := f.fetchers[leader]
	if list == nil {
		for range max(f.cfg.Fetchers, 1) {
			list = append(list, newFetcher(&f.cfg, leader))
		}
		f.fetchers[leader] = list
		f.toStart = append(f.toStart, list...)
		select {
		case f.kick <- struct{}{}:
		default:
		}
	}
	topic := uint32(id.Topic[0])<<8 | uint32(id.Topic[15])
	return list[(topic+uint32(id.Partition))%uint32(len(list))]
}

// Run fetches until ctx ends.
func (f *Fleet) Run(ctx context.Context) error {
	g := run.New(ctx, "fetchers")
	g.Go("starter", func(ctx context.Context) error {
		for {
			f.start(g)
			select {
			case <-f.kick:
			case <-ctx.Done():
				return nil
			}
		}
	})
	return g.Wait()
}

func (f *Fleet) start(g *run.Group) {
	f.mu.Lock()
	list := f.toStart
	f.toStart = nil
	f.mu.Unlock()
	for _, one := range list {
		g.Go(fmt.Sprintf("fetch from %d", one.leader), one.run)
	}
}
