package partition

import (
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/cluster/metadata"
)

// tracker is what a leader knows of its followers in one leader epoch: it says how far
// the records are committed and who should be in the ISR. It is pure. Its invariants:
//
//	what it knows is from fetches of this leader epoch; a follower that has not fetched
//	in it has an unknown end and holds the high watermark
//	whoever may be in the ISR counts: the members that the controller has agreed to and
//	those proposed to it, until it is known what became of that (the maximal ISR, KIP-497)
type tracker struct {
	self           int32
	partitionEpoch int32
	recovery       metadata.Recovery
	epochStart     int64 // where the leader's epoch begins in its log; unknown until it is open
	start          int64 // the leader's log start
	isr            []int32
	followers      []follower

	proposed []int32 // who may have joined since isr was agreed to
	inFlight bool    // a proposal is under way
	unsure   bool    // an earlier one may have been agreed to
	stale    bool    // the controller has gone on: wait for its word

	lagMax time.Duration // of the last proposal
}

// follower is one of the other replicas.
type follower struct {
	id          int32
	brokerEpoch int64 // its registration, by its fetches; -1 if it does not tell
	end         int64 // it has everything below on stable storage
	start       int64 // its log start
	fetched     time.Time
	// caughtUp is when it last had all that there was: at its last fetch, or at the one
	// before if it has since got what there was then.
	caughtUp time.Time
	// late is when it was first seen to lack something, though it lacked nothing at its last
	// fetch: a partition that is idle is not fetched, so that fetch may be long ago.
	late       time.Time
	fetchedEnd int64 // the leader's end at the last fetch
	ineligible bool  // fenced, or of another registration, when last looked at
}

const unknown = -1

// joinPatience is for how long after its last fetch the high watermark waits for a
// follower that is about to join the ISR. Without that it might never meet it.
const joinPatience = time.Second

// defaultLag is replica.lag.time.max.ms until the host tells another.
const defaultLag = 30 * time.Second

func newTracker(r Role, now time.Time) *tracker {
	t := &tracker{self: r.Self, epochStart: unknown, lagMax: defaultLag}
	t.update(r)
	for i := range t.followers {
		if f := &t.followers[i]; slices.Contains(r.ISR, f.id) {
			f.caughtUp = now // it has its time to show that it is
		}
	}
	return t
}

// update takes over what the controller says in the same leader epoch.
func (t *tracker) update(r Role) {
	for _, id := range t.isr {
		if f := t.follower(id); f != nil && !slices.Contains(r.ISR, id) {
			f.caughtUp = time.Time{} // nothing waits for it until it has caught up anew
		}
	}
	t.agree(r.ISR, r.PartitionEpoch, r.Recovery)
	was := t.followers
	t.followers = nil
	for _, id := range r.Replicas {
		if id == t.self {
			continue
		}
		i := slices.IndexFunc(was, func(f follower) bool { return f.id == id })
		if i < 0 {
			t.followers = append(t.followers, follower{id: id, brokerEpoch: unknown, end: unknown, start: unknown, fetchedEnd: unknown})
		} else {
			t.followers = append(t.followers, was[i])
		}
	}
}

// agree takes over an ISR that the controller has agreed to. A higher partition epoch
// than that of the proposals settles them: the controller takes none for an older one.
func (t *tracker) agree(isr []int32, partitionEpoch int32, recovery metadata.Recovery) {
	if partitionEpoch > t.partitionEpoch || t.isr == nil {
		t.proposed, t.inFlight, t.unsure, t.stale = nil, false, false, false
	}
	t.isr, t.partitionEpoch, t.recovery = isr, partitionEpoch, recovery
}

func (t *tracker) follower(id int32) *follower {
	for i := range t.followers {
		if t.followers[i].id == id {
			return &t.followers[i]
		}
	}
	return nil
}

// fetch takes in a fetch of a follower whose log agrees with the leader's below from.
// end is the leader's log end. It returns false if the registration is an older one than
// is known.
func (t *tracker) fetch(f *follower, from, start, brokerEpoch, end int64, now time.Time) bool {
	switch {
	case brokerEpoch != unknown && brokerEpoch < f.brokerEpoch:
		return false
	case from >= end:
		f.caughtUp, f.late = later(f.caughtUp, now), time.Time{}
	case f.fetchedEnd != unknown && from >= f.fetchedEnd:
		if f.caughtUp = later(f.caughtUp, f.fetched); f.late.IsZero() {
			f.late = now
		}
	}
	if brokerEpoch != f.brokerEpoch {
		f.brokerEpoch, f.ineligible = brokerEpoch, false
	} else if brokerEpoch != unknown {
		start = max(start, f.start) // a fetch that waits may be older than the last
	}
	if planted.Is(planted.HWTooHigh) {
		from = min(from+1, end) // it asks for the record at from: is that not what it has?
	}
	f.end, f.start, f.fetched, f.fetchedEnd = from, start, now, end
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (t *tracker) inSync(id int32) bool { return slices.Contains(t.isr, id) }

// maximal reports whether a replica is in the ISR or may be by now.
func (t *tracker) maximal(id int32) bool {
	return t.inSync(id) || slices.Contains(t.proposed, id)
}

// committed is the offset below which every replica that may be in the ISR, and those
// about to join, have everything; -1 if that is not known. durable is the leader's own.
func (t *tracker) committed(durable int64, now time.Time) int64 {
	hw := durable
	for i := range t.followers {
		if f := &t.followers[i]; f.end < hw && (t.maximal(f.id) || t.joining(f, now)) {
			hw = f.end
		}
	}
	return hw
}

// joining reports whether a follower is on its way into the ISR.
func (t *tracker) joining(f *follower, now time.Time) bool {
	return !f.ineligible && f.end >= t.epochStart && t.epochStart != unknown &&
		now.Sub(f.fetched) <= joinPatience && now.Sub(f.caughtUp) <= t.lagMax
}

// awaited is when committed may change by time alone; ok is false if it does not.
func (t *tracker) awaited(now time.Time) (until time.Time, ok bool) {
	for i := range t.followers {
		f := &t.followers[i]
		if t.maximal(f.id) || !t.joining(f, now) {
			continue
		}
		if at := f.fetched.Add(joinPatience); !ok || at.Before(until) {
			until, ok = at, true
		}
	}
	return until, ok
}

// ready reports whether a follower has what a member of the ISR must have: all that is
// committed, and all that there was when the leader's epoch began, which may have been
// committed by its predecessor though the leader's high watermark does not tell. And it has
// nothing that was deleted: who may lead must not bring that back.
func (t *tracker) ready(f *follower, hw int64) bool {
	return t.epochStart != unknown && f.end >= hw && f.end >= t.epochStart && f.start >= t.start
}

// waiting reports whether a follower could be proposed.
func (t *tracker) waiting(f *follower, hw int64) bool {
	return !t.inFlight && !t.stale && !t.maximal(f.id) && t.ready(f, hw)
}

// lost reports whether a member of the ISR does not have all that is committed. It must
// leave at once: it may not lead.
func (t *tracker) lost(f *follower, hw int64) bool {
	return t.inSync(f.id) && f.end != unknown && f.end < hw && !t.inFlight && !t.stale
}

// behind reports whether a member has had too much time to catch up.
func (f *follower) behind(end int64, now time.Time, lagMax time.Duration) bool {
	switch {
	case f.end >= end:
		f.late = time.Time{}
		return false
	case f.late.IsZero() && (f.end == unknown || f.end < f.fetchedEnd):
		return now.Sub(f.caughtUp) > lagMax
	case f.late.IsZero():
		f.late = now
	}
	return now.Sub(later(f.caughtUp, f.late)) >= lagMax
}

// propose returns the ISR as it should be, if it should change. end is the leader's log
// end. alive tells the registration of a broker.
func (t *tracker) propose(hw, end int64, now time.Time, lagMax time.Duration, alive func(int32) (epoch int64, fenced, ok bool)) (isr []BrokerEpoch, ok bool) {
	t.lagMax = lagMax
	var joins []int32
	for i := range t.followers {
		f := &t.followers[i]
		epoch, fenced, known := alive(f.id)
		f.ineligible = !known || fenced || f.brokerEpoch != unknown && f.brokerEpoch != epoch
		if !t.inSync(f.id) && !f.ineligible && t.ready(f, hw) {
			joins = append(joins, f.id)
		}
	}
	if t.inFlight || t.stale {
		return nil, false
	}
	for _, id := range t.isr {
		switch f := t.follower(id); {
		case id == t.self:
			epoch, _, known := alive(id)
			if !known {
				epoch = unknown
			}
			isr = append(isr, BrokerEpoch{id, epoch})
		case f != nil && !t.lost(f, hw) && !f.behind(end, now, lagMax):
			isr = append(isr, BrokerEpoch{id, f.brokerEpoch})
		}
	}
	if len(joins) == 0 && len(isr) == len(t.isr) && t.recovery == metadata.Recovered {
		return nil, false
	}
	for _, id := range joins {
		isr = append(isr, BrokerEpoch{id, t.follower(id).brokerEpoch})
		if !slices.Contains(t.proposed, id) {
			t.proposed = append(t.proposed, id)
		}
	}
	t.inFlight = true
	return isr, true
}

// refused takes in that the controller has certainly not agreed to the proposal that is
// under way.
func (t *tracker) refused() {
	if t.inFlight = false; !t.unsure {
		t.proposed = nil
	}
}

// forsaken takes in that nobody knows what became of the proposal. It may be made again.
func (t *tracker) forsaken() { t.inFlight, t.unsure = false, true }

// overtaken takes in that the controller has gone on to another partition epoch, which is
// not known here yet. Nothing is proposed until it is.
func (t *tracker) overtaken() { t.inFlight, t.unsure, t.stale = false, true, true }
