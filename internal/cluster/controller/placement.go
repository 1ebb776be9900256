package controller

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// placer spreads the replicas of new partitions. Leaders go round all brokers, from
// rack to rack, so that each leads as often as any other; the other replicas go round
// the racks from there, and in each rack round its brokers, so that they stand in as
// many racks as there are and no broker has two. Brokers that are fenced follow only
// when their rack has no other left, and never lead. Every round begins with a new
// shuffle, so that broken brokers do not always leave the same work to the same ones.
type placer struct {
	rng     *rand.Rand
	racks   []*rack
	leaders []seat // one round of leaders
	placed  int    // in this round
	live    int    // brokers that may lead
	all     int
}

// seat is a broker in a rack.
type seat struct {
	rack int
	id   int32
}

// rack is the brokers in one rack. ring yields each of them once a placement.
type rack struct {
	name   string
	live   ring
	fenced ring
}

type ring struct {
	ids   []int32
	first int // where this placement began
	used  int // how many this placement has taken
}

// take yields the next broker other than not, or false after the last.
func (r *ring) take(not int32) (int32, bool) {
	for r.used < len(r.ids) {
		id := r.ids[(r.first+r.used)%len(r.ids)]
		r.used++
		if id != not {
			return id, true
		}
	}
	return 0, false
}

// turn ends a placement: the next begins one broker on.
func (r *ring) turn() {
	r.used = 0
	if len(r.ids) > 0 {
		r.first = (r.first + 1) % len(r.ids)
	}
}

func (s State) newPlacer() *placer {
	p := &placer{rng: s.Rand}
	byName := map[string]*rack{}
	for b := range s.Image.Brokers() {
		if b.InControlledShutdown || s.Rules.Cordoned(s.Image, b.ID) {
			continue
		}
		name := "\x00" // no rack is a rack of its own
		if b.Rack != nil {
			name = *b.Rack
		}
		k := byName[name]
		if k == nil {
			k = &rack{name: name}
			byName[name] = k
			p.racks = append(p.racks, k)
		}
		p.all++
		if b.Fenced {
			k.fenced.ids = append(k.fenced.ids, b.ID)
		} else {
			k.live.ids = append(k.live.ids, b.ID)
			p.live++
		}
	}
	slices.SortFunc(p.racks, func(a, b *rack) int { return strings.Compare(a.name, b.name) })
	p.shuffle()
	return p
}

// shuffle begins a round: every broker that may lead, one of each rack in turn.
func (p *placer) shuffle() {
	p.rng.Shuffle(len(p.racks), func(i, j int) { p.racks[i], p.racks[j] = p.racks[j], p.racks[i] })
	for _, k := range p.racks {
		for _, ids := range [][]int32{k.live.ids, k.fenced.ids} {
			p.rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		}
	}
	p.leaders, p.placed = p.leaders[:0], 0
	for depth := 0; len(p.leaders) < p.live; depth++ {
		for i, k := range p.racks {
			if depth < len(k.live.ids) {
				p.leaders = append(p.leaders, seat{i, k.live.ids[depth]})
			}
		}
	}
}

// check says why no partition could have that many replicas.
func (p *placer) check(replicas int) error {
	switch {
	case replicas <= 0:
		return explainf(kerr.InvalidReplicationFactor,
			"Invalid replication factor %d: the replication factor must be positive.", replicas)
	case p.live == 0:
		return explainf(kerr.InvalidReplicationFactor, "All brokers are currently fenced.")
	case replicas > p.all:
		return explainf(kerr.InvalidReplicationFactor, "The target replication factor of %d cannot be "+
			"reached because only %d broker(s) are registered.", replicas, p.all)
	}
	return nil
}

// place picks the replicas of one partition, the leader first. check has passed.
func (p *placer) place(replicas int) []int32 {
	if p.placed == len(p.leaders) {
		p.shuffle()
	}
	lead := p.leaders[p.placed]
	p.placed++
	ids := append(make([]int32, 0, replicas), lead.id)
	for at := lead.rack; len(ids) < replicas; {
		at = (at + 1) % len(p.racks)
		if id, ok := p.racks[at].take(lead.id); ok {
			ids = append(ids, id)
		}
	}
	for _, k := range p.racks {
		k.live.turn()
		k.fenced.turn()
	}
	return ids
}

func (k *rack) take(not int32) (int32, bool) {
	if id, ok := k.live.take(not); ok {
		return id, true
	}
	return k.fenced.take(not)
}
