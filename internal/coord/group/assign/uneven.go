package assign

import (
	"cmp"
	"slices"
)

// maxRounds bounds the search for balance. Where the subscribers of a topic subscribe to
// the same topics one round balances and one finds nothing to do; where subscriptions
// overlap in chains each round roughly halves what is left.
const maxRounds = 32

// assignUneven divides the partitions among members whose subscriptions differ: all keep
// what they may, what has no owner goes topic by topic to the least loaded subscribers,
// and then partitions move for as long as that evens the loads.
func (p *plan) assignUneven() {
	for i := range p.members {
		p.owned(i, func(partition int32) bool {
			p.give(partition, i)
			return true
		})
	}
	kept := slices.Clone(p.owner)
	subscribers := make([][]int, len(p.topics))
	for i := range p.members {
		for _, t := range p.subs[i] {
			subscribers[t] = append(subscribers[t], i)
		}
	}
	order := p.hardestFirst(subscribers)
	room := make([]int, len(p.members))
	for _, t := range order {
		p.spread(t, subscribers[t], room)
	}
	quiet := 0 // topics in a row of which nothing moved
	for range maxRounds {
		for _, t := range order {
			if p.even(t, subscribers[t], kept) {
				quiet = 0
			} else if quiet++; quiet == len(order) {
				return
			}
		}
	}
}

// hardestFirst orders topics by the number of partitions that each subscriber must take,
// those with few subscribers first: what can go to many evens out what went to few.
func (p *plan) hardestFirst(subscribers [][]int) []int {
	order := make([]int, len(p.topics))
	for t := range order {
		order[t] = t
	}
	slices.SortStableFunc(order, func(a, b int) int {
		share := func(t int) float64 { return float64(p.topics[t].Partitions) / float64(len(subscribers[t])) }
		return cmp.Or(cmp.Compare(share(b), share(a)), cmp.Compare(len(subscribers[a]), len(subscribers[b])))
	})
	return order
}

// spread gives the partitions of a topic without an owner to its least loaded
// subscribers. It leaves room as it finds it: zero everywhere.
func (p *plan) spread(t int, subscribers, room []int) {
	var free []int32
	for at := p.first[t]; at < p.first[t+1]; at++ {
		if p.owner[at] == nobody {
			free = append(free, at)
		}
	}
	if len(free) == 0 {
		return
	}
	poorest := p.level(subscribers, len(free), room)
	p.racks.fill(room, t, t+1)
	for _, at := range free {
		if p.owner[at] != nobody {
			continue
		}
		for room[poorest[0]] == 0 {
			poorest = poorest[1:]
		}
		p.give(at, poorest[0])
		room[poorest[0]]--
	}
}

// level shares out n places among subscribers so that the least loaded come up to one
// level, and returns the subscribers in the order of their loads.
func (p *plan) level(subscribers []int, n int, room []int) []int {
	poorest := slices.Clone(subscribers)
	slices.SortStableFunc(poorest, func(a, b int) int { return cmp.Compare(p.load[a], p.load[b]) })
	sum, k := 0, 0 // k members are below the level, with sum partitions together
	for k < len(poorest) && (k == 0 || p.load[poorest[k]]*k-sum < n) {
		sum += p.load[poorest[k]]
		k++
	}
	level, rest := (sum+n)/k, (sum+n)%k
	for i, m := range poorest[:k] {
		room[m] = level - p.load[m]
		if i < rest {
			room[m]++
		}
	}
	return poorest
}

// even moves partitions of a topic from its most loaded subscribers that have any to the
// least loaded, until those differ by one at most, and reports whether any moved.
func (p *plan) even(t int, subscribers []int, kept []int32) bool {
	low, high := p.load[subscribers[0]], p.load[subscribers[0]]
	for _, m := range subscribers {
		low, high = min(low, p.load[m]), max(high, p.load[m])
	}
	if high-low <= 1 {
		return false
	}
	held := p.held(t, kept)
	moved := false
	for {
		from, to := -1, -1
		for _, m := range subscribers {
			if len(held[m]) > 0 && (from < 0 || p.load[m] > p.load[from]) {
				from = m
			}
			if to < 0 || p.load[m] < p.load[to] {
				to = m
			}
		}
		if from < 0 || p.load[from]-p.load[to] <= 1 {
			return moved
		}
		last := len(held[from]) - 1
		at := held[from][last]
		held[from] = held[from][:last]
		held[to] = append(held[to], at)
		p.give(at, to)
		moved = true
	}
}

// held lists the partitions of a topic that each member has, those that it should rather
// keep first: what it was promised, and then what is in its rack.
func (p *plan) held(t int, kept []int32) map[int][]int32 {
	held := map[int][]int32{}
	for at := p.first[t]; at < p.first[t+1]; at++ {
		m := int(p.owner[at])
		held[m] = append(held[m], at)
	}
	for m, partitions := range held {
		dear := func(at int32) int {
			worth := 0
			if kept[at] == int32(m) {
				worth += 2
			}
			if p.racks.match(m, t, at) {
				worth++
			}
			return worth
		}
		slices.SortStableFunc(partitions, func(a, b int32) int { return cmp.Compare(dear(b), dear(a)) })
	}
	return held
}
