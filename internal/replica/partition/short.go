package partition

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A log is short if it ends below where it once did for good: the disk has lost the end of
// it. That is rot from its end on, see rot, and worse. What is rotten in the middle can be
// told from what is there; here offsets that others have records at would be given to new
// ones. So a replica that is short does not lead, whoever tells it to, nor does it answer
// readers.
//
// If it is the only replica nobody has what is lost. Its home keeps it closed then (ErrShort)
// until the operator would rather go on without.

// ErrShort is wrapped by the error of a home that keeps a log closed because its end is lost.
var ErrShort = errors.New("the end of the log is lost")

// errShort has clients look for who has all of it.
var errShort = fmt.Errorf("%w: %w", kerr.NotLeaderForPartition, ErrShort)

// lacks takes in how far a log once reached that was just opened. mu is held.
func (p *Partition) lacks(o Opened) {
	if o.Had <= max(o.Log.End(), p.rot.missing) {
		return
	}
	p.logger.Error("the disk has lost the end of a log: the replica does not lead, and fetches it from others",
		"partition", p.tp, "end", o.Log.End(), "had", o.Had, "epoch", o.LostEpoch)
	if p.rot.at == unknown || p.rot.at > o.Log.End() {
		p.rot.at, p.rot.next = o.Log.End(), o.Had
	}
	p.rot.missing, p.rot.lost, p.rot.epoch = o.Had, o.LostEpoch, p.role.Epoch
	p.rot.told, p.rot.asked, p.rot.reported = false, false, false
	p.rot.had = !p.role.Lost || slices.Contains(p.role.ISR, p.role.Self)
}

// nobodyElse reports whether the cluster knows nobody but this replica who has all that is
// committed. Then it stays what it is, the leader by name, until it can vouch for another; or
// it is to give up what it lacks. mu is held.
func (p *Partition) nobodyElse(s Standing) bool {
	other := func(id int32) bool { return id != s.Self }
	return !slices.ContainsFunc(s.ISR, other) && !slices.ContainsFunc(s.Eligible, other)
}

// vouch takes in a follower that has all that this replica lacks, so that it can join the ISR
// and lead: it is as long as this log once was, and of the same leader or a later one, by
// which its records are the same.
func (p *Partition) vouch(f FollowerFetch) {
	p.mu.Lock()
	has := p.mayVouch() && f.CurrentEpoch == p.role.Epoch && f.From >= p.rot.missing && f.LastFetchedEpoch >= p.rot.lost
	if follower := (*follower)(nil); has {
		follower = p.tracker.follower(f.Node)
		has = follower != nil && p.tracker.fetch(follower, f.From, f.LogStart, f.BrokerEpoch, f.From, time.Now())
	}
	p.mu.Unlock()
	if has && p.eager != nil {
		p.eager(p)
	}
}

// mayVouch reports whether this replica would lead, were its log not short. mu is held.
func (p *Partition) mayVouch() bool {
	return p.failed == nil && p.tracker != nil && p.role.Leading && p.role.Epoch > p.spent && p.missing() > 0 && p.rot.lost != model.NoEpoch
}

// Missing is where the log ended before the disk lost its end, or 0 if it did not.
func (p *Partition) Missing() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.missing()
}

// missing is Missing with mu held.
func (p *Partition) missing() int64 {
	if p.rot.missing == 0 || !p.isRotten() {
		return 0
	}
	return p.rot.missing
}

// Kept is what the home is to write down of a log that ends at end: the high watermark, and
// how far the log reached if it is short, which is not forgotten before it has healed. A high
// watermark of what may be in memory only, on a topic that has no other replica, would be
// taken for a promise once the topic is to be durable.
func (p *Partition) Kept(durable int64) (hw, had int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if hw = p.hw.Load(); p.role.sole() && !p.settings.Load().Durable {
		hw = min(hw, durable)
	}
	if !p.rot.healing {
		had = p.missing()
	}
	return hw, had
}

// waive has a short log go on without what it lacks: nobody has it, and the operator would
// rather do without. It waits for the disk.
func (p *Partition) waive() error {
	p.writing.Lock()
	defer p.writing.Unlock()
	log := p.log.Load()
	if log == nil {
		return p.Err()
	}
	p.mu.Lock()
	missing := p.missing()
	p.rot.healing = true // nothing is kept of it
	p.mu.Unlock()
	p.logger.Error("records that were committed are given up, as unclean.leader.election.enable allows",
		"partition", p.tp, "from", log.End(), "upto", missing)
	err := p.home.Truncated(p, log, log.End())
	p.mu.Lock()
	if p.rot.healing = false; err == nil {
		p.rot.missing = 0
		log.Lost(0, model.NoEpoch)
	}
	p.mu.Unlock()
	return p.storage(err)
}
