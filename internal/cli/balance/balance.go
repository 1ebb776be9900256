// Package balance plans where the replicas of a cluster should be: it spreads replicas
// and leaderships over brokers and racks, and empties brokers, with as few moves as it
// can. It decides on what it is told and asks nobody; it owns no goroutine.
package balance

import (
	"cmp"
	"slices"
)

// Broker is one that partitions may be on.
type Broker struct {
	ID   int32
	Rack string // "" is a rack too: that of brokers without one
	// Open brokers may get replicas. On others, those that are there stay, unless the
	// broker is to be emptied.
	Open bool
}

// Partition is where a partition is, its preferred leader first.
type Partition struct {
	Topic     string
	Partition int32
	Replicas  []int32
	Bytes     int64 // of one replica
}

// Move is a partition that shall be elsewhere, or have another preferred leader.
type Move struct {
	Partition
	To []int32 // its replicas afterwards
}

// Added are the brokers that must copy the partition.
func (m Move) Added() []int32 {
	return slices.DeleteFunc(slices.Clone(m.To), func(id int32) bool { return slices.Contains(m.Replicas, id) })
}

// Copied is how many bytes the move copies.
func (m Move) Copied() int64 { return int64(len(m.Added())) * m.Bytes }

// Plan is what is to be done.
type Plan struct {
	Moves []Move      // by topic and partition
	Stuck []Partition // that stay on a broker that is to be emptied: no other may take them
}

// Spread plans to even out the cluster: each open broker shall have as many replicas and
// preferred leaderships as the others, give or take one, and the replicas of a partition
// shall be in as many racks as there are. A move that would make the racks worse is not
// made, so uneven racks keep uneven brokers.
func Spread(brokers []Broker, partitions []Partition) Plan {
	s := newState(brokers, partitions)
	s.spreadRacks()
	s.spreadReplicas()
	s.spreadLeaders()
	return Plan{Moves: s.moves()}
}

// Empty plans to take everything off some brokers, onto those with the fewest replicas.
func Empty(brokers []Broker, partitions []Partition, leave []int32) Plan {
	s := newState(brokers, partitions)
	for _, id := range leave {
		s.at(id).Open = false
	}
	var stuck []Partition
	for i := range s.parts {
		for at, id := range s.parts[i].to {
			if !slices.Contains(leave, id) {
				continue
			}
			if target := s.bestFor(i, at); target != nil {
				s.move(i, at, target.ID)
			} else {
				stuck = append(stuck, s.parts[i].Partition)
			}
		}
	}
	return Plan{Moves: s.moves(), Stuck: stuck}
}

// state is a cluster as it would be.
type state struct {
	brokers []*load  // by id
	topics  []string // sorted
	parts   []*placed
}

// load is a broker and what would be on it.
type load struct {
	Broker
	replicas int
	leads    int              // preferred
	topics   map[string][]int // sorted indices of partitions
}

// placed is a partition and where it would be.
type placed struct {
	Partition
	to []int32
}

func newState(brokers []Broker, partitions []Partition) *state {
	s := &state{}
	for _, b := range brokers {
		s.brokers = append(s.brokers, newLoad(b))
	}
	slices.SortFunc(s.brokers, func(x, y *load) int { return cmp.Compare(x.ID, y.ID) })
	sorted := slices.Clone(partitions)
	slices.SortFunc(sorted, func(x, y Partition) int {
		return cmp.Or(cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition))
	})
	for i, p := range sorted {
		s.parts = append(s.parts, &placed{p, slices.Clone(p.Replicas)})
		if n := len(s.topics); n == 0 || s.topics[n-1] != p.Topic {
			s.topics = append(s.topics, p.Topic)
		}
		for at, id := range p.Replicas {
			s.at(id).gain(i, p.Topic)
			if at == 0 {
				s.at(id).leads++
			}
		}
	}
	return s
}

func newLoad(b Broker) *load {
	return &load{Broker: b, topics: map[string][]int{}}
}

func (l *load) gain(part int, topic string) {
	l.replicas++
	i, _ := slices.BinarySearch(l.topics[topic], part)
	l.topics[topic] = slices.Insert(l.topics[topic], i, part)
}

func (l *load) lose(part int, topic string) {
	l.replicas--
	i, _ := slices.BinarySearch(l.topics[topic], part)
	l.topics[topic] = slices.Delete(l.topics[topic], i, i+1)
}

// at is a broker's load. One that only replicas name is not open.
func (s *state) at(id int32) *load {
	i, ok := slices.BinarySearchFunc(s.brokers, id, func(l *load, id int32) int { return cmp.Compare(l.ID, id) })
	if !ok {
		s.brokers = slices.Insert(s.brokers, i, newLoad(Broker{ID: id}))
	}
	return s.brokers[i]
}

// move puts the replica at a place of a partition's list onto another broker.
func (s *state) move(part, at int, to int32) {
	p := s.parts[part]
	from := s.at(p.to[at])
	target := s.at(to)
	from.lose(part, p.Topic)
	target.gain(part, p.Topic)
	if at == 0 {
		from.leads--
		target.leads++
	}
	p.to[at] = to
}

// racks is in how many racks a partition would be if the replica at a place were on
// another broker.
func (s *state) racks(part, at int, on int32) int {
	var buf [8]string
	seen := buf[:0]
	for i, id := range s.parts[part].to {
		if i == at {
			id = on
		}
		if r := s.at(id).Rack; !slices.Contains(seen, r) {
			seen = append(seen, r)
		}
	}
	return len(seen)
}

// bestFor is the broker that should take a replica: in a rack of its own if there is one,
// then the one with the fewest replicas, of this topic if that is even. Nil if none may.
func (s *state) bestFor(part, at int) *load {
	p := s.parts[part]
	var best *load
	var bestRacks int
	for _, b := range s.brokers {
		if !b.Open || slices.Contains(p.to, b.ID) {
			continue
		}
		racks := s.racks(part, at, b.ID)
		if best == nil || cmp.Or(-cmp.Compare(racks, bestRacks), cmp.Compare(b.replicas, best.replicas), cmp.Compare(len(b.topics[p.Topic]), len(best.topics[p.Topic]))) < 0 {
			best, bestRacks = b, racks
		}
	}
	return best
}

func (s *state) moves() []Move {
	var out []Move
	for _, p := range s.parts {
		if !slices.Equal(p.to, p.Replicas) {
			out = append(out, Move{p.Partition, p.to})
		}
	}
	return out
}
