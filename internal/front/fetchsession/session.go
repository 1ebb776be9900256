// Package fetchsession remembers what a client fetches, so that neither requests nor
// answers repeat it (KIP-227), and which of it has moved, so that what rests costs
// nothing. It knows ids, epochs and what the client was last told of each partition; it
// does not read anything. It owns no goroutines.
package fetchsession

import (
	"sync"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
)

// Epochs of a request that mean more than a number.
const (
	Initial int32 = 0  // make a session
	Final   int32 = -1 // use no session, and end the one named
)

// Key names a partition in a session: by id from Fetch 13 on, by name before.
type Key struct {
	ID        model.ID
	Topic     string
	Partition int32
}

// Wish is a partition, and what a client wants of it.
type Wish struct {
	Key
	Want
}

// Partition is what a session knows of one partition.
type Partition struct {
	Key

	// The session's lock guards these.
	want       Want
	told       Told
	prev, next *Partition           // its place in the order of the session,
	named      bool                 // which it has
	source     *partition.Partition // that waiter watches
	waiter     *partition.Waiter

	marked bool // the lock of the marks guards it
}

// Wanted is a partition to look at, and what was wanted of it when it was taken.
type Wanted struct {
	Part *Partition
	Want
}

// Want is where a client goes on in a partition.
type Want struct {
	FetchOffset        int64
	LogStartOffset     int64 // a follower's own
	MaxBytes           int32
	CurrentLeaderEpoch int32
	LastFetchedEpoch   int32
}

// Told is what an incremental answer leaves out while it stays the same.
type Told struct {
	HighWatermark  int64
	LogStartOffset int64
}

// Session is the partitions of one client on this broker, in the order in which they
// are read: one that gave records goes to the end, so that none starves. Of them it marks
// those that may have something to tell: that the client has just named, that were not
// read to the end, and whose source has moved since. Safe for concurrent use.
type Session struct {
	id         int32
	byID       bool // partitions are named by topic id
	privileged bool // a follower's
	marks      marks

	// mu guards what follows. Taken after the cache's, before a partition's and the marks'.
	mu        sync.Mutex
	epoch     int32
	parts     order
	bound     <-chan struct{} // the end of the connection for which it watches, if any
	unbind    func() bool     // forgets that end
	rests     bool            // it watches nothing: the connection has ended
	closed    bool            // it watches nothing ever again
	refreshed time.Time       // when all were marked last

	// The cache's lock guards these.
	made, used time.Time
	size       int
}

// New returns a session of partitions that is not in a cache yet; all of them are marked.
func New(byID, privileged bool, wants []Wish, now time.Time) *Session {
	s := &Session{byID: byID, privileged: privileged, refreshed: now}
	s.marks.list = make([]*Partition, 0, len(wants))
	s.update(wants, nil)
	return s
}

// Len is the number of its partitions.
func (s *Session) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parts.n
}

// ID is the session's id, 0 if it has no slot or no partition is left.
func (s *Session) ID() int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts.n == 0 {
		return 0
	}
	return s.id
}

// update changes what the client wants. The lock is held, or nobody else has s.
func (s *Session) update(wants []Wish, forgotten []Key) {
	for _, want := range wants {
		p := s.parts.find(want.Key)
		if p == nil {
			p = &Partition{Key: want.Key, told: Told{-1, -1}}
			s.parts.add(p)
		}
		p.want = want.Want
		s.Mark(p)
	}
	for _, k := range forgotten {
		if p := s.parts.find(k); p != nil {
			s.parts.remove(p)
			p.detach()
		}
	}
}

// Tell notes what an answer says of a partition and reports whether an incremental
// answer must say it. Records and what the client must act on, such as errors, are always
// told; after that everything is told again.
func (s *Session) Tell(p *Partition, t Told, records, failed bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := records || failed || t != p.told
	p.told = t
	if failed {
		p.told = Told{-1, -1}
	}
	if records && p.named {
		s.parts.toEnd(p)
	}
	return news
}

// nextEpoch follows an epoch: after the greatest comes 1, since 0 means something else.
func nextEpoch(epoch int32) int32 {
	if epoch == 1<<31-1 {
		return 1
	}
	return epoch + 1
}
