package controller

import "time"

// Heard is what a broker said last in this term: how far it has applied the metadata, and
// when it said so. ok is false if it has said nothing, or this node does not decide.
func (s *Service) Heard(id int32) (offset int64, at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.term < 0 {
		return 0, time.Time{}, false
	}
	offset, ok = s.offsets[id]
	p := s.live.pulses[id]
	if !ok || p == nil || !p.spoke {
		return 0, time.Time{}, false
	}
	return offset, p.heard, true
}
