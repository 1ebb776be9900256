package fetcher

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
)

// state is where a partition stands. It is in one of four phases.
type state struct {
	replica Replica
	id      model.IDPartition
	epoch   int32
	phase   phase

	// What the leader is asked next.
	offset      int64
	lastEpoch   int32
	start       int64
	leaderStart int64 // as it was told with what makes the log grow

	end       int64 // of the log, while the round waits until it is durable
	lag       int64 // records that the leader has committed and this replica lacks; -1: not known
	full      bool  // its last answer had as much as was asked for, or nearly
	inSession bool
	isDirty   bool
	failures  int       // in a row
	until     time.Time // when it has rested
	place     int       // among the resting
}

type phase uint8

const (
	looking  phase = iota // its log is to be asked where it ends
	fetching              // it is fetched
	rests                 // it had an error and is tried again later
	failed                // nothing helps but another epoch
)

// takeChanges does what the inbox says.
func (f *Fetcher) takeChanges() {
	changes := f.inbox.take()
	for id, c := range changes {
		st := f.states[id]
		switch {
		case c.replica == nil:
			if st != nil {
				f.drop(st)
			}
			continue
		case st != nil && st.replica == c.replica && st.epoch >= c.epoch && !c.anew:
			continue
		case st != nil:
			f.drop(st)
		}
		st = &state{replica: c.replica, id: id, epoch: c.epoch, lag: -1, place: -1}
		f.states[id] = st
		f.fresh = append(f.fresh, st)
	}
	if len(changes) > 0 {
		f.wait = shortWait
	}
	// A map has no order; what the leader sees of us has one.
	slices.SortFunc(f.fresh, func(a, b *state) int { return compareIDs(a.id, b.id) })
}

// shortWait is how long requests wait at first while partitions come. It doubles.
const shortWait = 20 * time.Millisecond

func compareIDs(a, b model.IDPartition) int {
	if d := slices.Compare(a.Topic[:], b.Topic[:]); d != 0 {
		return d
	}
	return cmp.Compare(a.Partition, b.Partition)
}

// drop forgets a partition.
func (f *Fetcher) drop(st *state) {
	f.leave(st, failed)
	delete(f.states, st.id)
}

// leave takes a partition out of the session, and its lists.
func (f *Fetcher) leave(st *state, to phase) {
	if st.place >= 0 {
		heap.Remove(&f.resting, st.place)
	}
	if st.phase == fetching {
		f.fetched--
	}
	if st.phase = to; to == fetching {
		panic("bug: a partition leaves the session to be fetched")
	}
	if st.inSession {
		st.inSession = false
		f.left = append(f.left, st.id)
	}
}

// lookBudget is for how long logs are opened before those that are open are fetched.
const lookBudget = 30 * time.Millisecond

// look asks new partitions where they stand, which opens their logs.
func (f *Fetcher) look() {
	began := time.Now()
	for n, st := range f.fresh {
		if n > 0 && n%16 == 0 && time.Since(began) > lookBudget {
			f.fresh = slices.Delete(f.fresh, 0, n)
			return
		}
		if st.phase == looking {
			f.ask(st)
		}
	}
	clear(f.fresh)
	f.fresh = f.fresh[:0]
}

// ask finds out where the replica stands now, and has the leader told.
func (f *Fetcher) ask(st *state) {
	offset, lastEpoch, start, err := st.replica.FetchFrom()
	if err != nil {
		f.trouble(st, "look where it ends", err)
		return
	}
	if st.phase != fetching {
		st.phase = fetching
		f.fetched++
	}
	st.offset, st.lastEpoch, st.start = offset, lastEpoch, start
	f.soil(st)
}

// soil marks a partition of which the leader is to be told.
func (f *Fetcher) soil(st *state) {
	if !st.isDirty {
		st.isDirty = true
		f.dirty = append(f.dirty, st)
	}
}

// backOff lets a partition rest, longer each time.
func (f *Fetcher) backOff(st *state) {
	st.failures++
	f.restUntil(st, time.Now().Add(f.pause(st.failures)))
}

// restUntil takes a partition out of the session for a while.
func (f *Fetcher) restUntil(st *state, until time.Time) {
	f.leave(st, rests)
	st.until = until
	heap.Push(&f.resting, st)
}

// giveUp fetches a partition no more until it has another epoch.
func (f *Fetcher) giveUp(st *state) { f.leave(st, failed) }

// wakeRested asks those that have rested.
func (f *Fetcher) wakeRested(now time.Time) {
	for len(f.resting) > 0 && !f.resting[0].until.After(now) {
		st := heap.Pop(&f.resting).(*state)
		st.phase = looking
		f.ask(st)
	}
}

// resting is a heap by time.
type resting []*state

func (r resting) Len() int           { return len(r) }
func (r resting) Less(i, j int) bool { return r[i].until.Before(r[j].until) }
func (r resting) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].place, r[j].place = i, j
}

// Push and Pop are heap.Interface's.
func (r *resting) Push(x any) {
	st := x.(*state)
	st.place = len(*r)
	*r = append(*r, st)
}

// Pop removes the last.
func (r *resting) Pop() any {
	st := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	st.place = -1
	return st
}
