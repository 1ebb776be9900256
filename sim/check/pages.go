package check

import (
	"maps"
	"slices"
)

const pageBits = 10

// spot is what is known of an offset.
type spot struct {
	// what is 1 + the send whose record is there, or -1 - a stranger's index; 0 is nothing.
	what  int32
	flags uint8
}

const (
	// toldThere: a send that is owed to be there was told this offset.
	toldThere uint8 = 1 << iota
	// readThere: somebody read it.
	readThere
	// readCommitted: somebody read it who asked for what is committed.
	readCommitted
	// drained, drainedCommitted: as these, in a drain.
	drained
	drainedCommitted
)

type page [1 << pageBits]spot

// pages are spots by offset. Offsets may be anywhere, since a bug may have told them.
type pages struct {
	all  map[int64]*page
	last *page
	at   int64
}

// spot returns what is known of an offset, for change.
func (p *pages) spot(offset int64) *spot {
	n := offset >> pageBits
	if p.last == nil || p.at != n {
		if p.all == nil {
			p.all = make(map[int64]*page)
		}
		found := p.all[n]
		if found == nil {
			found = new(page)
			p.all[n] = found
		}
		p.last, p.at = found, n
	}
	return &p.last[offset&(1<<pageBits-1)]
}

// get returns what is known of an offset.
func (p *pages) get(offset int64) spot {
	n := offset >> pageBits
	if p.last != nil && p.at == n {
		return p.last[offset&(1<<pageBits-1)]
	}
	if found := p.all[n]; found != nil {
		p.last, p.at = found, n
		return found[offset&(1<<pageBits-1)]
	}
	return spot{}
}

// between visits what is known of [from, to), in order.
func (p *pages) between(from, to int64, visit func(offset int64, s spot)) {
	if (to-from)>>pageBits <= 2 {
		for o := from; o < to; o++ {
			if s := p.get(o); s.what != 0 {
				visit(o, s)
			}
		}
		return
	}
	for _, n := range slices.Sorted(maps.Keys(p.all)) {
		base, page := n<<pageBits, p.all[n]
		for i := max(0, from-base); i < 1<<pageBits && base+i < to; i++ {
			if page[i].what != 0 {
				visit(base+i, page[i])
			}
		}
	}
}

// stairs are the highest number that was known, over time: each step is later and higher
// than the one before.
type stairs struct{ steps []step }

type step struct {
	at, to int64
	// by is who knew: see facts.op.
	by opRef
}

// raise notes that to was known from at on. Times never fall.
func (s *stairs) raise(at, to int64, by opRef) {
	if n := len(s.steps); n == 0 || s.steps[n-1].to < to {
		s.steps = append(s.steps, step{at, to, by})
	}
}

// before is the highest step that was there before at; its to is -1 if there is none.
func (s *stairs) before(at int64) step {
	// Most ask for a time near the last.
	n, width := len(s.steps), 1
	for n > 0 && s.steps[n-1].at >= at {
		if width *= 2; width > 64 {
			i, _ := slices.BinarySearchFunc(s.steps[:n], at, func(st step, at int64) int {
				if st.at < at {
					return -1
				}
				return 1
			})
			n = i
			break
		}
		n--
	}
	if n == 0 {
		return step{to: -1, by: noOp}
	}
	return s.steps[n-1]
}
