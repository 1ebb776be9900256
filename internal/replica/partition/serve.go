package partition

import (
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// FollowerFetch is what one partition of a follower's Fetch asks. From is the follower's
// durable end, LastFetchedEpoch the epoch of the record before it.
type FollowerFetch struct {
	Node        int32
	BrokerEpoch int64 // of the follower's registration, -1 if it does not tell
	ReadArgs
	LogStart int64 // the follower's log start
}

// ReadAsFollower returns whole batches from the one that holds From up to the log end,
// committed or not, and notes how far the follower is, which may commit records.
// It returns kerr.UnknownLeaderEpoch for a node that is no replica as far as is known
// here, or kerr.NotLeaderForPartition if it does not tell its epoch, that too for one whose
// registration is over, and what Read does.
func (p *Partition) ReadAsFollower(f FollowerFetch) (ReadResult, error) {
	log, err := p.led(f.CurrentEpoch)
	if err != nil {
		p.vouch(f)
		return ReadResult{}, err
	}
	if err := p.replicates(f); err != nil {
		return ReadResult{}, err
	}
	hw := p.hw.Load()
	m := log.Glance(hw) // followers do not care for what is stable
	r := ReadResult{Offsets: Offsets{Start: m.Start, HW: hw, Stable: m.Stable, End: m.End}}
	if r, err = check(r, log, f.ReadArgs); err != nil || r.Diverging != nil {
		return r, err
	}
	if r.HW, err = p.progress(f, r.Start, r.End); err != nil {
		return ReadResult{}, err
	}
	if f.From >= r.End || f.MaxBytes <= 0 && !f.MinOne {
		return r, nil
	}
	p.used.Store(true)
	r.Slice, err = log.Read(f.From, r.End, f.MaxBytes, f.MinOne)
	return r, p.doubted(p.storageOf(log, err))
}

// replicates returns nil if a node is one of the replicas. If the follower knows the
// epoch it may know more than is known here: it is to come again.
func (p *Partition) replicates(f FollowerFetch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.role.has(f.Node) && f.Node != p.role.Self:
		return nil
	case f.CurrentEpoch != model.NoEpoch:
		return fmt.Errorf("%w: node %d is no replica of %s", kerr.UnknownLeaderEpoch, f.Node, p.tp)
	}
	return fmt.Errorf("%w: node %d is no replica of %s", kerr.NotLeaderForPartition, f.Node, p.tp)
}

// progress notes that a follower has everything below f.From, as the leader has it, and
// returns the high watermark.
func (p *Partition) progress(f FollowerFetch, logStart, end int64) (hw int64, err error) {
	p.mu.Lock()
	epoch, err := p.stillLeading(f.CurrentEpoch)
	if err != nil {
		p.mu.Unlock()
		return 0, err
	}
	follower, start := p.tracker.follower(f.Node), int64(unknown)
	p.tracker.start = max(p.tracker.start, logStart)
	if follower != nil {
		start = follower.start
	}
	if follower == nil || !p.tracker.fetch(follower, f.From, f.LogStart, f.BrokerEpoch, end, time.Now()) {
		p.mu.Unlock()
		return 0, fmt.Errorf("%w: node %d fetches %s in epoch %d with a registration that is over", kerr.NotLeaderForPartition, f.Node, p.tp, epoch)
	}
	if !p.advance() && follower.start != start {
		p.wakeStart()
	}
	hw = p.hw.Load()
	eager := p.tracker.waiting(follower, hw) || p.tracker.lost(follower, hw)
	p.mu.Unlock()
	if eager && p.eager != nil {
		p.eager(p)
	}
	return hw, nil
}

// Follower is what a leader knows of one of its followers.
type Follower struct {
	Node       int32
	InSync     bool
	End, Start int64 // -1 until it has fetched from this leader
	Fetched    time.Time
	CaughtUp   time.Time // when it last had all
}

// Followers lists what the leader knows of its followers; nil if this replica does not
// lead.
func (p *Partition) Followers() []Follower {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tracker == nil || !p.leads() {
		return nil
	}
	list := make([]Follower, len(p.tracker.followers))
	for i, f := range p.tracker.followers {
		list[i] = Follower{Node: f.id, InSync: p.tracker.inSync(f.id), End: f.end, Start: f.start, Fetched: f.fetched, CaughtUp: f.caughtUp}
	}
	return list
}

// Rivals returns the leader epoch of this replica and the nodes of which one may have been
// elected since: the other members of the ISR, as the controller may have it by now. It
// fails as Read does if this replica does not lead.
func (p *Partition) Rivals() (epoch int32, nodes []int32, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if epoch, err = p.stillLeading(model.NoEpoch); err != nil {
		return 0, nil, err
	}
	for _, f := range p.tracker.followers {
		if p.tracker.maximal(f.id) {
			nodes = append(nodes, f.id)
		}
	}
	return epoch, nodes, nil
}

// LowWatermark is the least log start of this replica and of those of its followers that
// may lead: DeleteRecords is done when it has been reached.
func (p *Partition) LowWatermark(mayLead func(node int32) bool) (int64, error) {
	log, err := p.led(model.NoEpoch)
	if err != nil {
		return unknown, err
	}
	low := log.Start()
	for _, f := range p.Followers() {
		if mayLead(f.Node) {
			low = min(low, f.Start)
		}
	}
	return low, nil
}
