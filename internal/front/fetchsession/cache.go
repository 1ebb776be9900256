package fetchsession

import (
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// staleAfter is how long a session must rest before another may take its slot.
const staleAfter = 2 * time.Minute

// partitionsPerSlot is how many partitions the sessions may have between them for each
// slot. Slots alone bound no memory: a session of 100,000 partitions takes 20 MiB, and
// outlives its connection. At the default of 1000 slots it is 200 MiB for all.
const partitionsPerSlot = 1000

// Cache has the sessions of a broker, at most a given number of them
// (max.incremental.fetch.session.cache.slots), and of so many partitions between them.
// Safe for concurrent use.
type Cache struct {
	slots  int
	random func() uint32

	mu       sync.Mutex // guards all below, and the sizes of sessions
	sessions map[int32]*Session
	size     int // partitions of all sessions
}

// NewCache returns an empty cache. random draws session ids.
func NewCache(slots int, random func() uint32) *Cache {
	return &Cache{slots: slots, random: random, sessions: make(map[int32]*Session)}
}

// Add gives a session a slot and returns its id, or 0 if there is none: then the client
// goes on without.
func (c *Cache) Add(s *Session, now time.Time) (id int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := c.slots * partitionsPerSlot
	if s.parts.n > most || c.slots == 0 {
		return 0
	}
	for len(c.sessions) >= c.slots || c.size+s.parts.n > most {
		if !c.evict(s, now) {
			return 0
		}
	}
	id = int32(c.random() & math.MaxInt32)
	for id == 0 || c.sessions[id] != nil {
		id = (id + 1) & math.MaxInt32
	}
	s.id, s.epoch, s.made, s.used, s.size = id, nextEpoch(Initial), now, now, s.parts.n
	c.sessions[id] = s
	c.size += s.size
	return id
}

// Use finds a session for an incremental request with the given epoch and changes what it
// fetches. A session that has become empty is removed; the client learns it by an id of 0.
// It returns kerr.FetchSessionIDNotFound, kerr.InvalidFetchSessionEpoch or
// kerr.FetchSessionTopicIDError.
func (c *Cache) Use(id, epoch int32, byID bool, now time.Time, wants []Wish, forgotten []Key) (*Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sessions[id]
	if s == nil {
		return nil, kerr.FetchSessionIDNotFound
	}
	if err := s.advance(epoch, byID, wants, forgotten); err != nil {
		return nil, err
	}
	size := s.Len()
	c.size += size - s.size
	s.used, s.size = now, size
	// One that has grown too large goes, as an empty one does: the client begins anew.
	if s.size == 0 || c.size > c.slots*partitionsPerSlot {
		c.drop(s)
	}
	return s, nil
}

// advance moves a session on by one request.
func (s *Session) advance(epoch int32, byID bool, wants []Wish, forgotten []Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.epoch != epoch:
		return kerr.InvalidFetchSessionEpoch
	case s.byID != byID:
		return kerr.FetchSessionTopicIDError
	}
	s.epoch = nextEpoch(epoch)
	s.update(wants, forgotten)
	return nil
}

// Remove ends a session; an unknown one is nothing.
func (c *Cache) Remove(id int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.sessions[id]; s != nil {
		c.drop(s)
	}
}

// drop forgets a session, which watches nothing from now on. The cache is locked.
func (c *Cache) drop(s *Session) {
	delete(c.sessions, s.id)
	c.size -= s.size
	s.Close()
}

// Len is the number of sessions.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sessions)
}

// evict makes room for a newcomer: the session that has rested longest goes if it is
// stale; else a consumer's gives way to a follower's, and a smaller one to a larger
// once it has lived a while. The cache is locked.
func (c *Cache) evict(newcomer *Session, now time.Time) bool {
	var oldest, weakest *Session
	for _, s := range c.sessions {
		if oldest == nil || s.used.Before(oldest.used) {
			oldest = s
		}
		if c.givesWay(s, newcomer, now) && (weakest == nil || s.size < weakest.size) {
			weakest = s
		}
	}
	switch {
	case oldest != nil && now.Sub(oldest.used) > staleAfter:
		c.drop(oldest)
	case weakest != nil:
		c.drop(weakest)
	default:
		return false
	}
	return true
}

func (c *Cache) givesWay(s, newcomer *Session, now time.Time) bool {
	if s.privileged != newcomer.privileged {
		return newcomer.privileged
	}
	return s.size < newcomer.parts.n && now.Sub(s.made) > staleAfter
}
