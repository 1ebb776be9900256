package delivery

import (
	"sync"
	"time"

	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Share is a partition as one share group has it, under one leader epoch of this broker.
// When that ends it is fenced, for good; what comes after is another Share. Safe for
// concurrent use.
type Share struct {
	service *Service
	key     share.Key
	tp      model.TopicPartition
	source  *partition.Partition
	epoch   int32 // leader epoch

	// reading is held while the log is read for a delivery, across the disk: what one
	// member is about to acquire no other needs to read. Taken before mu.
	reading gate.Gate

	// mu guards what follows and is held for moments only. Taken after the service's.
	mu         sync.Mutex
	state      *state // nil while it is loaded
	stateEpoch int32
	fence      error       // why it can be used no more
	open       *Verdict    // of what was acknowledged since the last write began
	writing    bool        // someone writes
	wrote      time.Time   // when something was stored last, or tried to be
	burying    bool        // someone writes to the dead letter queue
	leaving    func() bool // still nobody of the group reads here; nil if somebody does
	waiters    map[*partition.Waiter]struct{}

	alarm alarm
}

// Delivery is records of the log, and which of them the member has. The Slice must be
// released; it is empty if nothing was acquired.
type Delivery struct {
	commitlog.Slice
	Acquired []Acquired
}

// Deliver gives a member what it may have now, of at most so many bytes, but of one record
// batch at least if minOne is set. Watch first: whoever is given nothing is woken when
// there may be something.
// It returns kerr.NotLeaderForPartition once the Share is fenced, and what the log says.
func (sh *Share) Deliver(ask Ask, maxBytes int, minOne bool) (Delivery, error) {
	sh.reading.Lock()
	defer sh.reading.Unlock()
	l := layouts.Get().(*layout)
	defer layouts.Put(l)
	set := sh.settings()
	const looks = 16 // at what turns out to be hidden or gone; there may be more of it than one request may read
	for range looks {
		from, ok, err := sh.wanted(set.rules())
		if !ok || err != nil {
			return Delivery{}, err
		}
		d, again, err := sh.deliver(l, ask, from, set, maxBytes, minOne)
		if !again || err != nil {
			return d, err
		}
	}
	sh.wake()
	return Delivery{}, nil
}

// wanted is where to read; ok tells that there is reason to.
func (sh *Share) wanted(r rules) (from int64, ok bool, err error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.fence != nil {
		return 0, false, sh.fence
	}
	if sh.state == nil {
		return 0, false, nil
	}
	if sh.state.expire(r, time.Now()) {
		sh.flush()
	}
	return sh.state.wanted(), sh.state.ready(r), nil
}

// deliver reads at one place and acquires what is there; again tells that it had better
// be looked elsewhere.
func (sh *Share) deliver(l *layout, ask Ask, from int64, set Settings, maxBytes int, minOne bool) (d Delivery, again bool, err error) {
	r, err := sh.read(from, set, maxBytes, minOne)
	if moved := sh.logStarts(r.Start, err); moved {
		r.Release()
		return d, true, nil
	}
	if err != nil || r.Len == 0 {
		r.Release()
		return d, false, err
	}
	if err := l.walk(&r, sh.reach(from, ask), set.Committed); err != nil {
		r.Release()
		return d, false, err
	}
	acquired, again, err := sh.acquire(ask, from, l.bounds, set.rules())
	if len(acquired) == 0 {
		r.Release()
		return d, again, err
	}
	l.cut(&r.Slice, acquired[0].First, acquired[len(acquired)-1].Last)
	return Delivery{r.Slice, acquired}, false, nil
}

// read reads the log. A start offset beyond its end, as after an unclean election, waits
// for the log to get there: it never falls.
func (sh *Share) read(from int64, set Settings, maxBytes int, minOne bool) (partition.ReadResult, error) {
	r, err := sh.source.Read(partition.ReadArgs{From: from, MaxBytes: maxBytes, MinOne: minOne,
		CurrentEpoch: sh.epoch, LastFetchedEpoch: model.NoEpoch, Committed: set.Committed})
	if isAny(err, kerr.OffsetOutOfRange) && from > r.End {
		return r, nil
	}
	if isAny(err, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.NotLeaderForPartition) {
		sh.service.drop(sh, kerr.NotLeaderForPartition)
		return r, kerr.NotLeaderForPartition
	}
	return r, err
}

// logStarts takes over where the log starts, as far as a read tells, and reports whether
// that moved the start of the share partition.
func (sh *Share) logStarts(at int64, err error) bool {
	if err != nil && !isAny(err, kerr.OffsetOutOfRange) {
		return false
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.fence != nil || !sh.state.logStarts(at) {
		return false
	}
	sh.moved()
	sh.wakeLocked()
	return true
}

// moved is called when the start has moved without a write: what is there now is stored
// after a while. mu is held.
func (sh *Share) moved() {
	if sh.wrote = time.Now(); !sh.state.unwritten {
		sh.tidy()
	}
}

// reach is the offset beyond which one request acquires nothing.
func (sh *Share) reach(from int64, ask Ask) int64 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return max(from, sh.state.next) + int64(ask.MaxRecords)
}

// acquire gives the member what was read; again tells that nothing of it was to be had,
// and that there is more elsewhere.
func (sh *Share) acquire(ask Ask, from int64, read []bounds, r rules) (got []Acquired, again bool, err error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.fence != nil {
		return nil, false, sh.fence
	}
	start := sh.state.start
	got = sh.state.acquire(ask, from, read, r, time.Now())
	sh.arm()
	if sh.state.start != start {
		sh.moved()
	}
	again = len(got) == 0 && (sh.state.wanted() != from || sh.state.start != start)
	return got, again, nil
}

// Deliverable is about how many bytes Deliver would find, at most so many.
func (sh *Share) Deliverable(maxBytes int) (int, error) {
	set := sh.settings()
	from, ok, err := sh.wanted(set.rules())
	if !ok || err != nil {
		return 0, err
	}
	r, err := sh.read(from, set, maxBytes, true)
	defer r.Release()
	if isAny(err, kerr.OffsetOutOfRange) {
		return 1, nil // Deliver sees to it
	}
	return r.Len, err
}

// acknowledge begins what a member wants done with its records. The verdict is there when
// that is stored.
func (sh *Share) acknowledge(member string, acks []Ack) *Verdict {
	set := sh.settings()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	switch {
	case sh.fence != nil:
		return Decided(sh.fence)
	case sh.state == nil:
		return Decided(errNotFound)
	}
	now := time.Now()
	if sh.state.expire(set.rules(), now) {
		sh.wakeLocked()
		sh.flush()
	}
	changed, err := sh.state.acknowledge(member, acks, set.rules(), now)
	if err == nil {
		sh.service.counts.took(acks, sh.state.start)
	}
	if err != nil || !changed {
		return Decided(err)
	}
	verdict := sh.open
	sh.flush()
	return verdict
}

// release gives back what a member has.
func (sh *Share) release(member string) *Verdict {
	set := sh.settings()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.fence != nil || sh.state == nil || !sh.state.release(member, set.rules()) {
		return Decided(sh.fence)
	}
	verdict := sh.open
	sh.flush()
	return verdict
}

// ring is called when the alarm that arm has set is due.
func (sh *Share) ring() {
	if !sh.current() {
		return
	}
	set := sh.settings()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.fence != nil || sh.state == nil {
		return
	}
	if sh.state.expire(set.rules(), time.Now()) {
		sh.wakeLocked()
	}
	sh.flush()
	sh.tidy()
	sh.arm()
}

// arm sets the alarm for the end of the next lock. mu is held.
func (sh *Share) arm() {
	if due := sh.state.due; !due.IsZero() {
		sh.service.alarms.set(sh, due)
	}
}

// Watch wakes w at every change after which a member may be given something, until
// Unwatch: what comes into the log, and what others give back.
func (sh *Share) Watch(w *partition.Waiter) {
	sh.mu.Lock()
	if sh.waiters == nil {
		sh.waiters = make(map[*partition.Waiter]struct{}, 1)
	}
	sh.waiters[w] = struct{}{}
	sh.mu.Unlock()
	sh.source.Watch(w)
}

// Unwatch ends Watch.
func (sh *Share) Unwatch(w *partition.Waiter) {
	sh.source.Unwatch(w)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.waiters, w)
}

func (sh *Share) wake() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.wakeLocked()
}

// wakeLocked tells every waiter. mu is held; what a waiter does then must be quick and may
// not call the Share.
func (sh *Share) wakeLocked() {
	for w := range sh.waiters {
		w.Wake()
	}
}

func (sh *Share) settings() Settings { return sh.service.settings(sh.key.Group) }
