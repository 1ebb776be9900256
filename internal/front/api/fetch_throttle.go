package api

import (
	"time"

	"github.com/odradek/odradek/internal/replica/partition"
)

// holdsBack reports whether a follower is to have nothing of a partition now: what the
// listed ones may be sent is used up. Members of the ISR are never held back, as writers
// wait for them.
func (s *Server) holdsBack(p *partition.Partition, node int32, now time.Time) bool {
	_, exceeded := s.throttle.Until(now)
	return exceeded && s.throttles(p, node)
}

// throttles reports whether a follower is one of those that are bounded.
func (s *Server) throttles(p *partition.Partition, node int32) bool {
	if !s.throttle.Listed(p.TP()) {
		return false
	}
	for _, id := range p.Role().ISR {
		if id == node {
			return false
		}
	}
	return true
}

// countThrottled counts what an answer brings to followers that are bounded.
func (f *fetching) countThrottled() {
	node := f.replica()
	if node < 0 {
		return
	}
	for i := range f.results {
		if r := &f.results[i]; r.Len > 0 && f.server.throttles(r.replica, node) {
			f.server.throttle.Record(r.Len, time.Now())
		}
	}
}
