package assign

// assignEven divides the partitions among members that subscribe to the same topics.
// Everyone has a place for total/members partitions, and total%members of them for one
// more, which those keep who have it already.
func (p *plan) assignEven() {
	if len(p.members) == 0 {
		return
	}
	quota := len(p.owner) / len(p.members)
	extra := len(p.owner) % len(p.members)
	for i := range p.members {
		p.owned(i, func(partition int32) bool {
			if p.load[i] == quota {
				if extra == 0 {
					return false
				}
				extra--
			}
			p.give(partition, i)
			return p.load[i] <= quota
		})
	}
	// What is left is exactly what is missing: to each up to the quota, and the extras.
	room := make([]int, len(p.members))
	for i := range p.members {
		room[i] = max(quota-p.load[i], 0)
		if extra > 0 && p.load[i] <= quota {
			room[i]++
			extra--
		}
	}
	p.racks.fill(room, 0, len(p.topics))
	next := 0
	for at, o := range p.owner {
		if o != nobody {
			continue
		}
		for room[next] == 0 {
			next++
		}
		p.give(int32(at), next)
		room[next]--
	}
}
