package controller

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// placer spreads the replicas of new partitions. It goes round the racks and, in each
// rack, round its brokers, so that neighbouring partitions lead on different brokers,
// the replicas of one partition stand in as many racks as there are, and no broker
// has two of them. Brokers that are fenced follow only when there are too few others,
// and never lead. Where it begins is drawn.
type placer struct {
	rng    *rand.Rand
	racks  []*rack
	next   int // rack of the next leader
	live   int // brokers that may lead
	all    int
	placed int // since the last shuffle
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

func (r *ring) take() (int32, bool) {
	if r.used == len(r.ids) {
		return 0, false
	}
	id := r.ids[(r.first+r.used)%len(r.ids)]
	r.used++
	return id, true
}

// turn ends a placement: the next begins one broker on.
func (r *ring) turn() {
	r.used = 0
	if len(r.ids) > 0 {
		r.first = (r.first + 1) % len(r.ids)
	}
}

func newPlacer(m *metadata.Image, rng *rand.Rand) *placer {
	p := &placer{rng: rng}
	byName := map[string]*rack{}
	for b := range m.Brokers() {
		if b.InControlledShutdown {
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
	p.draw()
	return p
}

func (p *placer) draw() {
	for _, k := range p.racks {
		for _, r := range []*ring{&k.live, &k.fenced} {
			if len(r.ids) > 0 {
				r.first = p.rng.IntN(len(r.ids))
			}
		}
	}
	if len(p.racks) > 0 {
		p.next = p.rng.IntN(len(p.racks))
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
	if p.live > 1 && p.placed == p.live { // every broker has led: not the same round again
		p.shuffle()
	}
	at := p.next
	lead, ok := p.racks[at].live.take()
	for !ok {
		at = (at + 1) % len(p.racks)
		lead, ok = p.racks[at].live.take()
	}
	ids := append(make([]int32, 0, replicas), lead)
	for len(ids) < replicas {
		at = (at + 1) % len(p.racks)
		if id, ok := p.racks[at].take(); ok {
			ids = append(ids, id)
		}
	}
	for _, k := range p.racks {
		k.live.turn()
		k.fenced.turn()
	}
	p.next = (p.next + 1) % len(p.racks)
	p.placed++
	return ids
}

func (k *rack) take() (int32, bool) {
	if id, ok := k.live.take(); ok {
		return id, true
	}
	return k.fenced.take()
}

func (p *placer) shuffle() {
	p.rng.Shuffle(len(p.racks), func(i, j int) { p.racks[i], p.racks[j] = p.racks[j], p.racks[i] })
	for _, k := range p.racks {
		for _, ids := range [][]int32{k.live.ids, k.fenced.ids} {
			p.rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		}
	}
	p.placed = 0
}
