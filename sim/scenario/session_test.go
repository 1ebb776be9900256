package scenario

import (
	"errors"
	"slices"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/odradek/odradek/sim/load"
)

// session is a producer on the bare protocol that writes to one topic. A copy of one is a
// zombie.
type session struct {
	*load.Session
	r     *stage
	topic string
}

// session begins a transactional producer's life: it has its id and epoch. Without an id it
// is idempotent only.
func (r *stage) session(id, topic string, v2 bool) *session {
	r.t.Helper()
	s := &session{load.NewSession(r, id, v2), r, topic}
	r.AtDown(s.Close)
	s.Timeout, s.Patience = time.Minute, time.Minute
	r.must(s.init())
	return s
}

// zombie is the session as it is now, to act when the session has gone on.
func (s *session) zombie() *session { return &session{s.Zombie(), s.r, s.topic} }

func (s *session) at(partition int32) history.Place {
	return history.Place{Topic: s.topic, Partition: partition}
}

func (s *session) init() error { return s.Init(s.r.t.Context()) }

func (s *session) add(partition int32) error { return s.Add(s.r.t.Context(), s.at(partition)) }

// put writes one batch of a record for each value, and returns where.
func (s *session) put(partition int32, values ...string) (base int64, err error) {
	var all [][]byte
	for _, v := range values {
		all = append(all, []byte(v))
	}
	return s.Put(s.r.t.Context(), s.at(partition), all...)
}

func (s *session) end(commit bool) error { return s.End(s.r.t.Context(), commit) }

func (s *session) commitOffset(group string, partition int32, offset int64) error {
	return s.Enlist(s.r.t.Context(), group, s.at(partition), offset)
}

func (s *session) offsetOf(group string, partition int32, stable bool) (offset int64, err error) {
	return s.Committed(s.r.t.Context(), group, s.at(partition), stable)
}

func isAny(err error, of []error) bool {
	return slices.ContainsFunc(of, func(w error) bool { return errors.Is(err, w) })
}
