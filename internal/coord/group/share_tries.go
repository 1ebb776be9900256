package group

import (
	"slices"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
)

// try is the last request that the state of a share partition begin, while nobody knows
// what came of it. Older ones may still be on their way. So may this one when nobody waits
// for it any more; it takes effect as late as it likes.
//
// A state that begins in a later epoch forgets what members have done since it began in an
// earlier one. So members are given a partition only when the last try has succeeded; what
// came of others counts for nothing. What is tried again is tried in the same epoch, in
// which a state begins once.
type try struct {
	start share.Start
	at    time.Time
	void  bool // the group has forgotten the partition since
}

// recent reports whether what was asked at a time may well be answered yet.
func (st *state) recent(at, now time.Time) bool {
	return now.Sub(at) < st.settings().ShareInitializeRetry
}

// tried notes what is about to be asked.
func (st *state) tried(p *plan, starts []share.Start) {
	p.then(func() {
		for _, s := range starts {
			st.tries[s.Key] = try{start: s, at: p.t.Now}
		}
	})
}

// awaited reports whether a state has been asked to begin, and the answer may come yet.
func (st *state) awaited(k share.Key, now time.Time) bool {
	last, ok := st.tries[k]
	return ok && st.recent(last.at, now)
}

// next is what to ask when a state should begin as start says: what was asked before, if
// nobody knows what came of that.
func (st *state) next(start share.Start) share.Start {
	if last, ok := st.tries[start.Key]; ok && !last.void {
		return last.start
	}
	return start
}

// due are the partitions of a topic whose states must be asked to begin. Those that are
// deleted, or were by a coordinator that may not have finished, come later.
func (st *state) due(g *shareGroup, t *metadata.Topic, now time.Time) (partitions []int32) {
	begun := g.states.initialized[t.ID].partitions
	if len(begun) >= len(t.Partitions) {
		return nil
	}
	if _, ends := g.states.deleting[t.ID]; ends && st.recent(g.ending[t.ID], now) {
		return nil
	}
	for p := range int32(len(t.Partitions)) {
		_, ok := slices.BinarySearch(begun, p)
		if !ok && !st.awaited(share.Key{Group: g.id, TopicID: t.ID, Partition: p}, now) {
			partitions = append(partitions, p)
		}
	}
	return partitions
}

// ready are the partitions of a topic that may be assigned: their states have begun, and
// are not beginning anew at the moment. all tells that there are no others that have begun.
func (st *state) ready(g *shareGroup, id model.ID, now time.Time) (partitions []int32, all bool) {
	partitions = g.states.initialized[id].partitions
	if len(st.tries) == 0 {
		return partitions, true
	}
	begun := len(partitions)
	partitions = slices.DeleteFunc(slices.Clone(partitions), func(p int32) bool {
		return st.awaited(share.Key{Group: g.id, TopicID: id, Partition: p}, now)
	})
	return partitions, len(partitions) == begun
}
