package fetchsession

import (
	"context"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/replica/partition"
)

// marks are the partitions of a session that may have something to tell, in the order in
// which they were marked.
type marks struct {
	mu   sync.Mutex // guards what follows; taken last of all locks
	list []*Partition
	told chan struct{} // receives at least once after a partition was marked; nil until somebody waits
}

// Mark says that a partition may have something to tell. It is quick and may be called
// with a partition's lock held.
func (s *Session) Mark(p *Partition) {
	s.marks.mu.Lock()
	if p.marked {
		s.marks.mu.Unlock()
		return
	}
	p.marked = true
	s.marks.list = append(s.marks.list, p)
	s.marks.tell()
	s.marks.mu.Unlock()
}

func (m *marks) tell() {
	select {
	case m.told <- struct{}{}:
	default:
	}
}

// Marked is told after partitions were marked, also of those that are marked already.
func (s *Session) Marked() <-chan struct{} {
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	if s.marks.told == nil {
		s.marks.told = make(chan struct{}, 1)
		if len(s.marks.list) > 0 {
			s.marks.tell()
		}
	}
	return s.marks.told
}

// Take returns the marked partitions, appended to dst, and what is wanted of each; they
// are marked no longer.
func (s *Session) Take(dst []Wanted) []Wanted {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	for i, p := range s.marks.list {
		p.marked = false
		if p.named { // not forgotten meanwhile
			dst = append(dst, Wanted{p, p.want})
		}
		s.marks.list[i] = nil
	}
	s.marks.list = s.marks.list[:0]
	return dst
}

// Refresh marks every partition if that was not done for so long. What moves is marked
// anyhow; but a leader needs to hear of its followers, which have all that there is, now
// and then.
func (s *Session) Refresh(now time.Time, every time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.refreshed) >= every {
		s.markAll(now)
	}
}

func (s *Session) markAll(now time.Time) {
	s.refreshed = now
	for p := s.parts.first; p != nil; p = p.next {
		s.Mark(p)
	}
}

// Watch has a partition marked whenever its source moves, in place of the source that it
// had. Watch first, then look.
func (s *Session) Watch(p *Partition, source *partition.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.source == source || s.rests || s.closed || !p.named {
		return
	}
	p.detach()
	if source == nil {
		return
	}
	if p.waiter == nil {
		p.waiter = &partition.Waiter{Notify: func() { s.Mark(p) }, Ends: s.privileged}
	}
	p.source = source
	source.Watch(p.waiter)
}

// detach ends Watch. The session's lock is held.
func (p *Partition) detach() {
	if p.source != nil {
		p.source.Unwatch(p.waiter)
		p.source = nil
	}
}

// Bind has a session watch for as long as the connection's context lasts. A client that
// comes back over another connection has everything looked at anew.
func (s *Session) Bind(ctx context.Context, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.bound == ctx.Done() {
		return
	}
	if s.bound != nil {
		s.unbind()
		s.markAll(now)
	}
	bound := ctx.Done()
	s.bound, s.rests = bound, false
	s.unbind = context.AfterFunc(ctx, func() { s.ended(bound) })
}

// ended ends what Bind began, unless the session is another connection's by now.
func (s *Session) ended(bound <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bound == bound {
		s.rest()
	}
}

// rest ends every Watch, and refuses those to come. The lock is held.
func (s *Session) rest() {
	s.rests = true
	for p := s.parts.first; p != nil; p = p.next {
		p.detach()
	}
}

// Close ends every Watch for good.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unbind != nil {
		s.unbind()
	}
	s.closed = true
	s.rest()
}
