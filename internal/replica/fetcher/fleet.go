package fetcher

import (
	"context"
	"fmt"
	"sync"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/proto/model"
)

// Fleet is the fetchers of a broker: a few connections to each broker that leads what is
// kept here too, and one more while replicas catch up, so that those that are in sync,
// for which producers wait, do not stand in line with them. Safe for concurrent use.
type Fleet struct {
	cfg  Config
	kick chan struct{} // one token when there is a fetcher to be started

	mu       sync.Mutex // guards what follows; taken before an inbox's
	lanes    map[int32]*lanes
	followed map[model.IDPartition]followed
	toStart  []*Fetcher
}

// lanes are the fetchers of one leader.
type lanes struct {
	live    []*Fetcher
	catchUp *Fetcher // nil until somebody was far behind
}

// followed is who fetches a partition, and in which epoch.
type followed struct {
	by    *Fetcher
	epoch int32
}

// NewFleet returns a fleet that follows nobody. Run must be called for anything to move.
func NewFleet(cfg Config) *Fleet {
	return &Fleet{
		cfg: cfg, kick: make(chan struct{}, 1),
		lanes: make(map[int32]*lanes), followed: make(map[model.IDPartition]followed),
	}
}

// Follow has a replica fetch from a leader in an epoch, and from no other. It does not
// wait.
func (f *Fleet) Follow(r Replica, leader, epoch int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.give(r, f.live(leader, r.ID()), epoch)
}

// give has a fetcher follow a replica, and another one that does not any more. mu is held.
func (f *Fleet) give(r Replica, to *Fetcher, epoch int32) {
	id := r.ID()
	if was := f.followed[id].by; was != nil && was != to {
		was.inbox.tell(id, change{})
	}
	f.followed[id] = followed{to, epoch}
	to.inbox.tell(id, change{replica: r, epoch: epoch})
}

// Unfollow ends the fetching of a partition.
func (f *Fleet) Unfollow(id model.IDPartition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if was := f.followed[id].by; was != nil {
		was.inbox.tell(id, change{})
		delete(f.followed, id)
	}
}

// Anew has a replica that follows be asked at once from where it is to be fetched.
func (f *Fleet) Anew(r Replica) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if was := f.followed[r.ID()]; was.by != nil {
		was.by.inbox.tell(r.ID(), change{replica: r, epoch: was.epoch, anew: true})
	}
}

// shift moves a replica that is far behind, or is not any more, between the lanes of its
// leader. The fetcher that calls it has dropped the replica.
func (f *Fleet) shift(r Replica, from *Fetcher, epoch int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.followed[r.ID()] != (followed{from, epoch}) {
		return // there is another word on it by now
	}
	to := f.live(from.leader, r.ID())
	if !from.catchingUp {
		to = f.catchUp(from.leader)
	}
	f.give(r, to, epoch)
}

// Returned tells that a broker has come back, maybe at another address.
func (f *Fleet) Returned(broker int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.lanes[broker]
	if l == nil {
		return
	}
	for _, one := range l.live {
		one.inbox.hurry()
	}
	if l.catchUp != nil {
		l.catchUp.inbox.hurry()
	}
}

// live is the fetcher for a partition of a leader. mu is held.
func (f *Fleet) live(leader int32, id model.IDPartition) *Fetcher {
	l := f.lanes[leader]
	if l == nil {
		l = &lanes{}
		f.lanes[leader] = l
		for range max(f.cfg.Fetchers, 1) {
			l.live = append(l.live, f.add(leader, false))
		}
	}
	topic := uint32(id.Topic[0])<<8 | uint32(id.Topic[15])
	return l.live[(topic+uint32(id.Partition))%uint32(len(l.live))]
}

// catchUp is the fetcher for those that are far behind a leader. mu is held.
func (f *Fleet) catchUp(leader int32) *Fetcher {
	l := f.lanes[leader]
	if l.catchUp == nil {
		l.catchUp = f.add(leader, true)
	}
	return l.catchUp
}

// add makes a fetcher, which is started soon. mu is held.
func (f *Fleet) add(leader int32, catchingUp bool) *Fetcher {
	one := newFetcher(&f.cfg, leader)
	one.shift = func(st *state) { f.shift(st.replica, one, st.epoch) }
	if one.catchingUp = catchingUp; catchingUp {
		one.maxBytes = f.cfg.AnswerBytes // one log after the other is read in large pieces
	}
	f.toStart = append(f.toStart, one)
	select {
	case f.kick <- struct{}{}:
	default:
	}
	return one
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
