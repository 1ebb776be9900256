package balance

import (
	"cmp"
	"slices"
)

// spreadRacks moves replicas that share a rack with another of their partition into a
// rack that has none.
func (s *state) spreadRacks() {
	for i, p := range s.parts {
		for at, id := range p.to {
			if !s.at(id).Open {
				continue
			}
			if b := s.bestFor(i, at); b != nil && s.racks(i, at, b.ID) > s.racks(i, at, id) {
				s.move(i, at, b.ID)
			}
		}
	}
}

// spreadReplicas moves replicas from brokers with more to brokers with at least two less,
// directly or by way of others, until there is none. Each round makes the sum of squares
// smaller, so it ends.
func (s *state) spreadReplicas() {
	for {
		done := true
		for _, from := range s.byLoad(func(l *load) int { return l.replicas }) {
			if path := s.replicaPath(from); path != nil {
				for _, step := range path {
					s.move(step.part, step.at, step.to)
				}
				done = false
				break
			}
		}
		if done {
			return
		}
	}
}

// byLoad are the open brokers, the most loaded first.
func (s *state) byLoad(of func(*load) int) []*load {
	var open []*load
	for _, b := range s.brokers {
		if b.Open {
			open = append(open, b)
		}
	}
	slices.SortStableFunc(open, func(x, y *load) int { return cmp.Compare(of(y), of(x)) })
	return open
}

// step is one replica that goes elsewhere, or one leadership.
type step struct {
	part, at int
	to       int32
}

// replicaPath is the shortest way to take a replica off a broker and have one more on
// one that has at least two less. Each broker on the way gets one and gives one.
func (s *state) replicaPath(from *load) []step {
	came := map[int32][]step{from.ID: nil}
	queue := []*load{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		edges := s.edges(at, came[at.ID])
		for _, b := range slices.Backward(s.byLoad(func(l *load) int { return l.replicas })) {
			e, ok := edges[b.ID]
			if _, seen := came[b.ID]; seen || !ok {
				continue
			}
			came[b.ID] = append(slices.Clone(came[at.ID]), e)
			if b.replicas <= from.replicas-2 {
				return came[b.ID]
			}
			queue = append(queue, b)
		}
	}
	return nil
}

// edges are the best moves from a broker to each other. Partitions that moved on the way
// stay.
func (s *state) edges(from *load, moved []step) map[int32]step {
	best := make(map[int32]step)
	for _, b := range s.brokers {
		if !b.Open || b == from {
			continue
		}
		if e, ok := s.edge(from, b, moved); ok {
			best[b.ID] = e
		}
	}
	return best
}

// edge is the best move from one broker to another: of the topic that is spread most
// unevenly between them, not led there if that can be, and of the fewest bytes.
func (s *state) edge(from, to *load, moved []step) (best step, ok bool) {
	bestUneven := 0
	for _, topic := range s.topics {
		uneven := len(from.topics[topic]) - len(to.topics[topic])
		if ok && uneven < bestUneven {
			continue
		}
		for _, part := range from.topics[topic] {
			at := slices.Index(s.parts[part].to, from.ID)
			if ok && uneven == bestUneven && !s.better(part, at, best) || slices.Contains(s.parts[part].to, to.ID) {
				continue
			}
			if slices.ContainsFunc(moved, func(m step) bool { return m.part == part }) || s.racks(part, at, to.ID) < s.racks(part, at, from.ID) {
				continue
			}
			best, bestUneven, ok = step{part, at, to.ID}, uneven, true
		}
	}
	return best, ok
}

// better reports whether a partition is the better one to move among those of evenly
// spread topics.
func (s *state) better(part, at int, old step) bool {
	if (at == 0) != (old.at == 0) {
		return at != 0
	}
	return s.parts[part].Bytes < s.parts[old.part].Bytes
}

// spreadLeaders changes the order of replicas, which copies nothing, until no broker is
// preferred by two partitions more than another to which leaderships can be handed on.
func (s *state) spreadLeaders() {
	for {
		done := true
		for _, from := range s.byLoad(func(l *load) int { return l.leads }) {
			if path := s.leaderPath(from); path != nil {
				for _, step := range path {
					s.lead(step.part, step.to)
				}
				done = false
				break
			}
		}
		if done {
			return
		}
	}
}

// lead makes a replica the preferred leader.
func (s *state) lead(part int, id int32) {
	to := s.parts[part].to
	s.at(to[0]).leads--
	s.at(id).leads++
	i := slices.Index(to, id)
	to[0], to[i] = to[i], to[0]
}

// leaderPath is the shortest way to take a leadership off a broker and have one more on
// one that has at least two less.
func (s *state) leaderPath(from *load) []step {
	came := map[int32][]step{from.ID: nil}
	queue := []*load{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, topic := range s.topics {
			for _, part := range at.topics[topic] {
				p := s.parts[part]
				if p.to[0] != at.ID {
					continue
				}
				for _, id := range p.to[1:] {
					b := s.at(id)
					if _, seen := came[id]; seen || !b.Open {
						continue
					}
					came[id] = append(slices.Clone(came[at.ID]), step{part, 0, id})
					if b.leads <= from.leads-2 {
						return came[id]
					}
					queue = append(queue, b)
				}
			}
		}
	}
	return nil
}
