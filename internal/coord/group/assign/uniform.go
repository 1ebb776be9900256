package assign

import (
	"slices"

	"github.com/odradek/odradek/internal/proto/model"
)

// Uniform gives members as equal numbers of partitions as their subscriptions allow.
// Among the assignments that are balanced it looks for one that leaves to members what
// they own, and, for what has to move, one that puts partitions where a replica is in
// the member's rack.
//
// If all members subscribe to the same topics, their numbers differ by one at most, and
// no partition moves that could stay. If not, no topic is left with a partition that
// could go from one of its subscribers to another who has two or more partitions less,
// short of a bound on the work in groups whose subscriptions overlap in chains.
type Uniform struct{}

func (Uniform) Name() string { return UniformName }

func (Uniform) Assign(members []Member, topics map[model.ID]Topic) (Assignment, error) {
	all, same, err := sortedTopics(members, topics)
	if err != nil {
		return nil, err
	}
	p := newPlan(members, all)
	if same {
		p.assignEven()
	} else {
		p.assignUneven()
	}
	return p.assignment(), nil
}

// nobody stands for a partition without an owner.
const nobody int32 = -1

// plan is an assignment that is being made. Members and topics go by their index, and a
// partition by its index among all partitions of all topics in order.
type plan struct {
	members []Member
	topics  []Topic
	first   []int32   // of each topic, its first partition; one more at the end
	owner   []int32   // of each partition, or nobody
	subs    [][]int32 // of each member, the topics that it subscribes to, ascending
	load    []int     // of each member, the number of its partitions
	at      map[model.ID]int32
	racks   *racks // nil unless members have some
}

func newPlan(members []Member, topics []Topic) *plan {
	p := &plan{
		members: members,
		topics:  topics,
		first:   make([]int32, len(topics)+1),
		load:    make([]int, len(members)),
		at:      make(map[model.ID]int32, len(topics)),
	}
	for i := range topics {
		p.at[topics[i].ID] = int32(i)
		p.first[i+1] = p.first[i] + topics[i].Partitions
	}
	p.owner = make([]int32, p.first[len(topics)])
	for i := range p.owner {
		p.owner[i] = nobody
	}
	p.subs = make([][]int32, len(members))
	for i := range members {
		p.subs[i] = make([]int32, len(members[i].Topics))
		for j, id := range members[i].Topics {
			p.subs[i][j] = p.at[id]
		}
		slices.Sort(p.subs[i])
	}
	p.racks = newRacks(p)
	return p
}

// give makes member the owner of a partition.
func (p *plan) give(partition int32, member int) {
	if old := p.owner[partition]; old != nobody {
		p.load[old]--
	}
	p.owner[partition] = int32(member)
	p.load[member]++
}

// owned yields the partitions that a member owns by what it has been promised, exist and
// have no owner yet in the plan, topic by topic. Of two members that were promised the
// same one the first keeps it.
func (p *plan) owned(member int, yield func(partition int32) bool) {
	m := &p.members[member]
	if len(m.Owned) == 0 {
		return
	}
	for _, t := range p.subs[member] {
		for _, n := range m.Owned[p.topics[t].ID] {
			if n < 0 || n >= p.topics[t].Partitions || p.owner[p.first[t]+n] != nobody {
				continue
			}
			if !yield(p.first[t] + n) {
				return
			}
		}
	}
}

// assignment writes the plan down.
func (p *plan) assignment() Assignment {
	given := make(Assignment, len(p.members))
	own := make([]map[model.ID][]int32, len(p.members))
	for i := range p.members {
		own[i] = make(map[model.ID][]int32, min(len(p.members[i].Topics), p.load[i]))
		given[p.members[i].ID] = own[i]
	}
	for t := range p.topics {
		id := p.topics[t].ID
		for at := p.first[t]; at < p.first[t+1]; at++ {
			if o := p.owner[at]; o != nobody {
				own[o][id] = append(own[o][id], at-p.first[t])
			}
		}
	}
	return given
}
