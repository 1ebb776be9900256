package assign

import "slices"

// racks knows which members are in the rack of which replicas. Nil when no member says
// where it is: then nothing is asked.
type racks struct {
	plan  *plan
	ids   map[string]int32
	of    []int32   // of each member, or nobody
	local [][]int32 // the racks of each partition's replicas, those that members are in
}

func newRacks(p *plan) *racks {
	r := &racks{plan: p, ids: map[string]int32{}, of: make([]int32, len(p.members))}
	for i := range p.members {
		rack := p.members[i].Rack
		if rack == "" {
			r.of[i] = nobody
			continue
		}
		id, ok := r.ids[rack]
		if !ok {
			id = int32(len(r.ids))
			r.ids[rack] = id
		}
		r.of[i] = id
	}
	if len(r.ids) == 0 {
		return nil
	}
	r.local = make([][]int32, len(p.owner))
	return r
}

// near are the racks of a partition's replicas that members are in.
func (r *racks) near(topic int, partition int32) []int32 {
	if r.local[partition] != nil || r.plan.topics[topic].Racks == nil {
		return r.local[partition]
	}
	near := []int32{}
	for _, rack := range r.plan.topics[topic].Racks(partition - r.plan.first[topic]) {
		if id, ok := r.ids[rack]; ok && !slices.Contains(near, id) {
			near = append(near, id)
		}
	}
	r.local[partition] = near
	return near
}

// fill gives partitions of the topics [from, to) without an owner to members that have
// room and are in a rack of their replicas. Those with the fewest such racks choose
// first, and take the rack with the most room.
func (r *racks) fill(room []int, from, to int) {
	if r == nil {
		return
	}
	p := r.plan
	free := make([][]int, len(r.ids)) // by rack, members with room, the last first
	total := make([]int, len(r.ids))
	for i := len(p.members) - 1; i >= 0; i-- {
		if rack := r.of[i]; rack != nobody && room[i] > 0 {
			free[rack] = append(free[rack], i)
			total[rack] += room[i]
		}
	}
	var choosy []int32
	for t := from; t < to; t++ {
		for at := p.first[t]; at < p.first[t+1]; at++ {
			if p.owner[at] == nobody && len(r.near(t, at)) > 0 {
				choosy = append(choosy, at)
			}
		}
	}
	slices.SortStableFunc(choosy, func(a, b int32) int { return len(r.local[a]) - len(r.local[b]) })
	for _, at := range choosy {
		best := nobody
		for _, rack := range r.local[at] {
			if total[rack] > 0 && (best == nobody || total[rack] > total[best]) {
				best = rack
			}
		}
		if best == nobody {
			continue
		}
		last := len(free[best]) - 1
		member := free[best][last]
		p.give(at, member)
		room[member]--
		total[best]--
		if room[member] == 0 {
			free[best] = free[best][:last]
		}
	}
}

// match reports whether a member is in a rack of a partition's replicas.
func (r *racks) match(member, topic int, partition int32) bool {
	return r != nil && r.of[member] != nobody && slices.Contains(r.near(topic, partition), r.of[member])
}
