package delivery

import "sync/atomic"

// Holding is what the share partitions of a group hold on this broker.
type Holding struct {
	Partitions int
	InFlight   int64 // records between their start and what was never delivered
	Locked     int64 // those that members have now
}

// Counts are what happened to records on this broker since it started.
type Counts struct {
	Acknowledged [Renew + 1]int64 // what members said of records they had, by type
	Rejected     int64            // records that were given up because a member said so
	Exceeded     int64            // or because they were delivered as often as may be
	Letters      int64            // dead letters that were written
	Unwritten    int64            // records whose dead letter could not be written
}

// counts are Counts as they grow. What is given up is counted when that is decided; if the
// write of it fails it may be decided again.
type counts struct {
	acknowledged [Renew + 1]atomic.Int64
	rejected     atomic.Int64
	exceeded     atomic.Int64
	letters      atomic.Int64
	unwritten    atomic.Int64
}

// Holdings tells what is held, by group. It takes no longer than the runs of what is in
// flight are many, and waits for nothing.
func (s *Service) Holdings() map[string]Holding {
	by := map[string]Holding{}
	for _, sh := range s.all(func(*Share) bool { return true }) {
		h := by[sh.key.Group]
		sh.addTo(&h)
		by[sh.key.Group] = h
	}
	return by
}

func (sh *Share) addTo(h *Holding) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.fence != nil {
		return
	}
	h.Partitions++
	if sh.state == nil {
		return
	}
	h.InFlight += sh.state.inFlight()
	for _, b := range sh.state.batches {
		for i := range b.runs {
			if r := &b.runs[i]; r.state == acquired {
				h.Locked += r.len()
			}
		}
	}
}

// Counts tells what happened so far.
func (s *Service) Counts() Counts {
	c := Counts{
		Rejected: s.counts.rejected.Load(), Exceeded: s.counts.exceeded.Load(),
		Letters: s.counts.letters.Load(), Unwritten: s.counts.unwritten.Load(),
	}
	for kind := range c.Acknowledged {
		c.Acknowledged[kind] = s.counts.acknowledged[kind].Load()
	}
	return c
}

// took counts acknowledgements that were taken, of what is not below start: that is done
// with, and they are nothing.
func (c *counts) took(acks []Ack, start int64) {
	var of [Renew + 1]int64
	for i := range acks {
		a := &acks[i]
		first := max(a.First, start)
		switch {
		case first > a.Last:
		case len(a.Types) == 1:
			of[a.Types[0]] += a.Last - first + 1
		default:
			for _, kind := range a.Types[first-a.First:] {
				of[kind]++
			}
		}
	}
	for kind, n := range of {
		if n > 0 {
			c.acknowledged[kind].Add(n)
		}
	}
}

// gaveUp counts records that are not delivered any more. Nobody counts for a state that is
// alone, as in tests.
func (c *counts) gaveUp(r *run, why cause) {
	switch {
	case c == nil:
	case why == rejected:
		c.rejected.Add(r.len())
	default:
		c.exceeded.Add(r.len())
	}
}
