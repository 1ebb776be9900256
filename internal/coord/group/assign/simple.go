package assign

import (
	"slices"

	"github.com/odradek/odradek/internal/proto/model"
)

// Simple gives the partitions of share groups, in which members may share a partition:
// each partition goes to just as many members as it takes for everyone to have
// something, and members' numbers differ by one at most. If all members subscribe to
// the same topics that holds for all partitions together, if not for each topic by
// itself. Members keep what they have where balance allows.
type Simple struct{}

func (Simple) Name() string { return SimpleName }

func (Simple) Assign(members []Member, topics map[model.ID]Topic) (Assignment, error) {
	all, same, err := sortedTopics(members, topics)
	if err != nil {
		return nil, err
	}
	given := make(Assignment, len(members))
	for i := range members {
		given[members[i].ID] = map[model.ID][]int32{}
	}
	if same {
		everyone := make([]int, len(members))
		for i := range everyone {
			everyone[i] = i
		}
		newSharing(members, everyone, all).assign(given)
		return given, nil
	}
	subscribers := map[model.ID][]int{}
	for i := range members {
		for _, id := range members[i].Topics {
			subscribers[id] = append(subscribers[id], i)
		}
	}
	for i := range all {
		newSharing(members, subscribers[all[i].ID], all[i:i+1]).assign(given)
	}
	return given, nil
}

// sharing divides partitions among members that all may have all of them. Both go by
// their index here.
type sharing struct {
	ids        []string // of members
	partitions []model.IDPartition
	places     int   // members that each partition should have
	quota      []int // partitions that each member should have

	has     []map[int]bool // by member, its partitions
	members [][]int        // by partition, its members
}

func newSharing(members []Member, these []int, topics []Topic) *sharing {
	s := &sharing{has: make([]map[int]bool, len(these)), quota: make([]int, len(these))}
	index := map[model.IDPartition]int{}
	for _, t := range topics {
		for n := range t.Partitions {
			if t.Assignable == nil || t.Assignable(n) {
				tp := model.IDPartition{Topic: t.ID, Partition: n}
				index[tp] = len(s.partitions)
				s.partitions = append(s.partitions, tp)
			}
		}
	}
	s.members = make([][]int, len(s.partitions))
	owned := make([][]int, len(these))
	for i, m := range these {
		s.ids = append(s.ids, members[m].ID)
		s.has[i] = map[int]bool{}
		for _, t := range topics {
			for _, n := range members[m].Owned[t.ID] {
				if p, ok := index[model.IDPartition{Topic: t.ID, Partition: n}]; ok {
					owned[i] = append(owned[i], p)
				}
			}
		}
	}
	s.keep(owned)
	return s
}

// keep sets the quotas and lets members keep what they own, as far as quotas and places
// go. The members that get one more are those that have it.
func (s *sharing) keep(owned [][]int) {
	if len(s.partitions) == 0 || len(s.ids) == 0 {
		return
	}
	s.places = (len(s.ids) + len(s.partitions) - 1) / len(s.partitions)
	total := s.places * len(s.partitions)
	quota, extra := total/len(s.ids), total%len(s.ids)
	for i := range s.ids {
		s.quota[i] = quota
		for _, p := range owned[i] {
			if len(s.members[p]) == s.places || s.has[i][p] {
				continue
			}
			if len(s.has[i]) == quota {
				if extra == 0 {
					break
				}
				extra--
				s.quota[i]++
			}
			s.add(i, p)
			if len(s.has[i]) > quota {
				break
			}
		}
	}
	for i := range s.ids {
		if extra > 0 && s.quota[i] == quota {
			s.quota[i]++
			extra--
		}
	}
}

// assign fills the places that are left, and writes down who has what.
func (s *sharing) assign(given Assignment) {
	var short []int // members below their quota
	for i := range s.ids {
		if len(s.has[i]) < s.quota[i] {
			short = append(short, i)
		}
	}
	next := 0
	for p := range s.partitions {
		for len(s.members[p]) < s.places {
			if next >= len(short) {
				next = 0
			}
			at := s.choose(short, next, p)
			m := short[at]
			if s.has[m][p] {
				s.swap(m, p)
			} else {
				s.add(m, p)
			}
			next = at + 1
			if len(s.has[m]) == s.quota[m] {
				short = slices.Delete(short, at, at+1)
				next = at
			}
		}
	}
	for i, id := range s.ids {
		for _, p := range sortedKeys(s.has[i]) {
			tp := s.partitions[p]
			given[id][tp.Topic] = append(given[id][tp.Topic], tp.Partition)
		}
	}
}

// choose is the place in short of the next member, in turns, that does not have p; if
// all have it, of the one whose turn it is.
func (s *sharing) choose(short []int, next, p int) int {
	for i := range short {
		if at := (next + i) % len(short); !s.has[short[at]][p] {
			return at
		}
	}
	return next
}

// swap finds a place for p although m, the only ones with room, have it: another member
// takes p and gives m something that m does not have. There is one: who does not have p
// has no fewer partitions than m has, p not among them.
func (s *sharing) swap(m, p int) {
	for other := range s.ids {
		if s.has[other][p] {
			continue
		}
		for _, q := range sortedKeys(s.has[other]) {
			if s.has[m][q] {
				continue
			}
			s.remove(other, q)
			s.add(other, p)
			s.add(m, q)
			return
		}
	}
	panic("bug: a share group has no place for a partition")
}

func (s *sharing) add(m, p int) {
	s.has[m][p] = true
	s.members[p] = append(s.members[p], m)
}

func (s *sharing) remove(m, p int) {
	delete(s.has[m], p)
	s.members[p] = slices.DeleteFunc(s.members[p], func(o int) bool { return o == m })
}

func sortedKeys(set map[int]bool) []int {
	keys := make([]int, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
