package memnet

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Delay has what one host sends to another arrive later, by least and up to jitter more,
// which rng draws to the nanosecond: no two arrivals are at one instant unless it wants it.
// The order stays. A nil rng ends the delay for what is sent from then on.
func (n *Network) Delay(from, to string, least, jitter time.Duration, rng *rand.Rand) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if rng == nil {
		delete(n.lags, way{from, to})
	} else {
		n.lags[way{from, to}] = &lag{least: least, jitter: jitter, dice: dice{rng: rng}}
	}
	n.tuneAll()
}

// Chop has whoever reads what one host sends to another get it in small pieces, of up to
// most bytes, as rng draws. A nil rng ends that.
func (n *Network) Chop(from, to string, most int, rng *rand.Rand) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if rng == nil {
		delete(n.chops, way{from, to})
	} else {
		n.chops[way{from, to}] = &chop{most: most, dice: dice{rng: rng}}
	}
	n.tuneAll()
}

// Reset resets every connection between two hosts, as a box on the way does: bytes in
// flight are gone, and both ends are told. It returns how many there were.
func (n *Network) Reset(a, b string) int {
	found := n.between(a, b)
	for _, c := range found {
		c.Reset()
	}
	return len(found)
}

// Swallow has the connections that there are between two hosts carry nothing more, for ever
// and both ways, and nobody is told, as when a box on the way has forgotten them; new ones
// work. It returns how many there were. Reset ends them.
func (n *Network) Swallow(a, b string) int {
	found := n.between(a, b)
	for _, c := range found {
		c.in.swallow()
		c.out.swallow()
	}
	return len(found)
}

// between are the near ends of the connections between two hosts.
func (n *Network) between(a, b string) (found []*conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		if l, r := c.local.host(), c.remote.host(); c.dialed && (l == a && r == b || l == b && r == a) {
			found = append(found, c)
		}
	}
	return found
}

// dice are a source of chance that many may ask.
type dice struct {
	mu  sync.Mutex // guards rng; taken after a pipe's; held over no wait
	rng *rand.Rand
}

func (d *dice) below(n int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.Int64N(n)
}

// lag is how late things arrive on a way.
type lag struct {
	least, jitter time.Duration
	dice
}

func (l *lag) draw() time.Duration { return l.least + time.Duration(l.below(int64(max(1, l.jitter)))) }

// chop is in what pieces things arrive on a way.
type chop struct {
	most int
	dice
}

func (c *chop) draw() int { return 1 + int(c.below(int64(max(1, c.most)))) }
