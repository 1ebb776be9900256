package vfs

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
)

// syncDir makes the changes to dir durable, and what they follow on.
func (d *memDisk) syncDir(dir *inode) {
	needed := make([]bool, len(d.changes))
	follows := lineage{}
	for i, c := range slices.Backward(d.changes) {
		if needed[i] = c.touches(dir) || follows.meets(c); needed[i] {
			follows.add(c)
		}
	}
	var rest []change
	for i, c := range d.changes {
		if !needed[i] {
			rest = append(rest, c)
			continue
		}
		for _, e := range c {
			if e.dir != nil {
				setEntry(e.dir.durable, e.name, e.node)
			}
		}
	}
	d.changes = rest
}

func (c *change) touches(dir *inode) bool { return c[0].dir == dir || c[1].dir == dir }

// lineage is the names and nodes that some changes concern. A change that meets it
// follows on them, or they on it.
type lineage map[any]bool

type place struct {
	dir  *inode
	name string
}

func (l lineage) meets(c change) bool {
	for _, e := range c {
		if e.dir != nil && (l[place{e.dir, e.name}] || l[e.node] || l[e.was]) {
			return true
		}
	}
	return false
}

func (l lineage) add(c change) {
	for _, e := range c {
		if e.dir == nil {
			continue
		}
		l[place{e.dir, e.name}] = true
		for _, n := range []*inode{e.node, e.was} {
			if n != nil {
				l[n] = true
			}
		}
	}
}

// crash is one power cut: names has the changes to names that survived.
type crash struct {
	rng     *rand.Rand
	garbage bool
	names   map[*inode]map[string]*inode // by folder
	used    int64
}

func (d *memDisk) afterCrash(rng *rand.Rand) *memDisk {
	c := crash{rng: rng, garbage: d.garbage, names: map[*inode]map[string]*inode{}}
	c.pickChanges(d.changes)
	root := c.dir(d.root)
	return &memDisk{root: root, locks: map[string]*Mem{}, size: d.size, used: c.used, garbage: d.garbage}
}

func (c *crash) pickChanges(changes []change) {
	lost, survives := lineage{}, c.gamble()
	for _, ch := range changes {
		if lost.meets(ch) || !survives() {
			lost.add(ch)
			continue
		}
		for _, e := range ch {
			if e.dir == nil {
				continue
			}
			if c.names[e.dir] == nil {
				c.names[e.dir] = map[string]*inode{}
			}
			c.names[e.dir][e.name] = e.node
		}
	}
}

// gamble draws how lucky what follows will be: all of it, none, or each by itself.
func (c *crash) gamble() func() bool {
	switch c.rng.IntN(4) {
	case 0:
		return func() bool { return true }
	case 1:
		return func() bool { return false }
	}
	return func() bool { return c.rng.IntN(2) == 0 }
}

func (c *crash) dir(old *inode) *inode {
	entries := maps.Clone(old.durable)
	for name, node := range c.names[old] {
		setEntry(entries, name, node)
	}
	n := newDir(old.mode)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		child := entries[name]
		if child.isDir() {
			n.entries[name] = c.dir(child)
		} else {
			n.entries[name] = c.file(child)
			c.used += n.entries[name].size
		}
		n.entries[name].names = 1
	}
	n.durable = maps.Clone(n.entries)
	return n
}

// file returns what is left of a file. Its clean pages are shared with the old one,
// which never writes them again.
func (c *crash) file(old *inode) *inode {
	n := &inode{mode: old.mode, mod: old.mod, keptSize: old.keptSize}
	n.kept = slices.Clone(old.kept)
	if len(old.dirty) > 0 || old.size != old.keptSize {
		c.tear(n, old)
	}
	n.size, n.pages = n.keptSize, slices.Clone(n.kept)
	return n
}

// tear lets some of what was not synced reach the disk.
func (c *crash) tear(n, old *inode) {
	survives := c.gamble()
	low, high := min(old.size, old.keptSize), max(old.size, old.keptSize)
	n.keptSize = low + c.rng.Int64N(high-low+1)
	if survives() {
		n.keptSize = old.size
	} else if !survives() {
		n.keptSize = old.keptSize
	}
	n.kept = resizePages(n.kept, int((n.keptSize+pageBytes-1)/pageBytes))
	for _, i := range old.dirty {
		if i < len(n.kept) && i < len(old.pages) && old.pages[i] != nil {
			n.kept[i] = c.tearPage(n.kept[i], old.pages[i], survives)
		}
	}
	if at := n.keptSize % pageBytes; at != 0 && n.kept[len(n.kept)-1] != nil {
		last := *n.kept[len(n.kept)-1]
		clear(last.b[at:])
		n.kept[len(n.kept)-1] = &last
	}
}

func (c *crash) tearPage(was, now *page, survives func() bool) *page {
	p := &page{}
	if was != nil {
		p.b = was.b
	}
	for at := 0; at < pageBytes; at += sectorBytes {
		sector, fresh := p.b[at:at+sectorBytes], now.b[at:at+sectorBytes]
		switch {
		case bytes.Equal(sector, fresh):
		case survives():
			copy(sector, fresh)
		case c.garbage && c.rng.IntN(4) == 0:
			for i := range sector {
				sector[i] = byte(c.rng.Uint32())
			}
		}
	}
	return p
}
