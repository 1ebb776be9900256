// Package sharesession remembers which partitions the members of share groups read from
// this broker, so that requests do not repeat it (KIP-932). It knows epochs and the
// connections on which sessions live; it knows neither records nor what members have of
// them. It owns no goroutine but the one for a moment in which a connection's end is heard.
package sharesession

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Epochs of a request that mean more than a number.
const (
	Initial int32 = 0  // open a session
	Final   int32 = -1 // close it
)

// partitionsPerSlot bounds the memory of all sessions together, as of fetch sessions: so
// many partitions for each session that there may be.
const partitionsPerSlot = 1000

// Key names a session: a member has one on each broker.
type Key struct{ Group, Member string }

// Ended is a session that is no more.
type Ended struct {
	Key
	Parts []model.IDPartition // what the member read here
	// Last tells that no member of the group is left here.
	Last bool
}

// Cache has the sessions of a broker. Safe for concurrent use.
type Cache struct {
	slots func() int
	gone  func(Ended)

	mu       sync.Mutex // guards all below; for moments only
	sessions map[Key]*session
	members  map[string]int // by group
	size     int            // partitions of all sessions
}

type session struct {
	epoch int32 // of the next request
	// parts are in the order in which they were named first.
	parts  []model.IDPartition
	known  map[model.IDPartition]struct{}
	unbind func() bool // from the end of the connection
}

// NewCache returns an empty cache of so many sessions (group.share.max.share.sessions).
// gone is told of sessions that end with their connection, or because there is no room for
// what they have become; with no lock held.
func NewCache(slots func() int, gone func(Ended)) *Cache {
	return &Cache{slots: slots, gone: gone, sessions: map[Key]*session{}, members: map[string]int{}}
}

// Open begins a session that lasts as long as ctx, the connection's context, in place of the
// one that the member had. What the member has stays its own.
// It returns kerr.ShareSessionLimitReached if there are too many.
func (c *Cache) Open(ctx context.Context, k Key, parts []model.IDPartition) error {
	slots := c.slots()
	c.mu.Lock()
	was, had := c.remove(k)
	if len(c.sessions) >= slots || c.size+len(parts) > slots*partitionsPerSlot {
		c.mu.Unlock()
		if had {
			c.gone(was)
		}
		return kerr.ShareSessionLimitReached
	}
	defer c.mu.Unlock()
	s := &session{epoch: Initial + 1, known: make(map[model.IDPartition]struct{}, len(parts))}
	c.add(s, parts)
	c.sessions[k] = s
	c.members[k.Group]++
	s.unbind = context.AfterFunc(ctx, func() { c.disconnected(k, s) })
	return nil
}

// Use moves a session on by one request and returns what it reads now, in its order.
// It returns kerr.ShareSessionNotFound or kerr.InvalidShareSessionEpoch.
func (c *Cache) Use(k Key, epoch int32, parts, forgotten []model.IDPartition) ([]model.IDPartition, error) {
	slots := c.slots()
	c.mu.Lock()
	s, err := c.advance(k, epoch)
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	if c.size+len(parts) > slots*partitionsPerSlot {
		was, _ := c.remove(k)
		c.mu.Unlock()
		c.gone(was)
		return nil, kerr.ShareSessionNotFound // the client begins anew
	}
	defer c.mu.Unlock()
	c.add(s, parts)
	c.forget(s, forgotten)
	return slices.Clone(s.parts), nil
}

// Touch moves a session on by a request that reads nothing.
// It returns kerr.ShareSessionNotFound or kerr.InvalidShareSessionEpoch.
func (c *Cache) Touch(k Key, epoch int32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.advance(k, epoch)
	return err
}

// Has returns kerr.ShareSessionNotFound if there is no such session.
func (c *Cache) Has(k Key) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions[k] == nil {
		return kerr.ShareSessionNotFound
	}
	return nil
}

// Close ends a session; ok is false if there is none.
func (c *Cache) Close(k Key) (e Ended, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remove(k)
}

// Any reports whether a member of a group has a session.
func (c *Cache) Any(group string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.members[group] > 0
}

// Len is the number of sessions.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sessions)
}

func (c *Cache) advance(k Key, epoch int32) (*session, error) {
	s := c.sessions[k]
	if s == nil {
		return nil, kerr.ShareSessionNotFound
	}
	if s.epoch != epoch {
		return nil, kerr.InvalidShareSessionEpoch
	}
	if s.epoch++; epoch == math.MaxInt32 {
		s.epoch = Initial + 1
	}
	return s, nil
}

func (c *Cache) add(s *session, parts []model.IDPartition) {
	for _, p := range parts {
		if _, ok := s.known[p]; !ok {
			s.known[p] = struct{}{}
			s.parts = append(s.parts, p)
			c.size++
		}
	}
}

// forget takes parts out, in one go however many they are.
func (c *Cache) forget(s *session, parts []model.IDPartition) {
	was := len(s.parts)
	for _, p := range parts {
		delete(s.known, p)
	}
	if len(s.known) == was {
		return
	}
	s.parts = slices.DeleteFunc(s.parts, func(p model.IDPartition) bool { _, ok := s.known[p]; return !ok })
	c.size -= was - len(s.parts)
}

func (c *Cache) remove(k Key) (Ended, bool) {
	s := c.sessions[k]
	if s == nil {
		return Ended{}, false
	}
	s.unbind()
	delete(c.sessions, k)
	c.size -= len(s.parts)
	if c.members[k.Group]--; c.members[k.Group] == 0 {
		delete(c.members, k.Group)
	}
	return Ended{k, s.parts, c.members[k.Group] == 0}, true
}

// disconnected ends a session with its connection, unless the member has another by now.
func (c *Cache) disconnected(k Key, s *session) {
	c.mu.Lock()
	if c.sessions[k] != s {
		c.mu.Unlock()
		return
	}
	e, _ := c.remove(k)
	c.mu.Unlock()
	c.gone(e)
}
