package world

import (
	"fmt"
	"time"
)

// What befalls the lines between machines, and to clients.
var lineFaults = []Fault{
	{"isolate", func(w *World) string { return isolate(w, false) }},
	{"isolate one way", func(w *World) string { return isolate(w, true) }},
	{"cut a pair", cutPair},
	{"cut a pair one way", cutWay},
	{"cut from clients", cutClients},
	{"delay", delay},
	{"black hole", blackHole},
	{"reset", reset},
	{"split reads", splitReads},
}

func isolate(w *World, half bool) string {
	n := w.victim()
	if n == nil {
		return ""
	}
	n.Isolate(true, half)
	return w.lasts(n, fmt.Sprintf("node %d reaches no other", n.ID), func() { n.Isolate(false, false) })
}

// pair are two nodes, drawn.
func (w *World) pair() (a, b *Node) {
	if len(w.nodes) < 2 {
		return nil, nil
	}
	order := w.Rand.Perm(len(w.nodes))
	return w.nodes[order[0]], w.nodes[order[1]]
}

func cutPair(w *World) string {
	a, b := w.pair()
	if a == nil {
		return ""
	}
	cut := func(on bool) { w.Cut(a, b, on); w.Cut(b, a, on) }
	cut(true)
	return w.lasts(nil, fmt.Sprintf("nodes %d and %d do not reach each other", a.ID, b.ID), func() { cut(false) })
}

func cutWay(w *World) string {
	a, b := w.pair()
	if a == nil {
		return ""
	}
	w.Cut(a, b, true)
	return w.lasts(nil, fmt.Sprintf("node %d does not reach %d", a.ID, b.ID), func() { w.Cut(a, b, false) })
}

func cutClients(w *World) string {
	n := w.nodes[w.Rand.IntN(len(w.nodes))]
	back := w.Rand.IntN(2) == 0
	cut := func(on bool) {
		w.Cut(nil, n, on)
		if back {
			w.Cut(n, nil, on)
		}
	}
	cut(true)
	return w.lasts(nil, fmt.Sprintf("clients do not reach node %d", n.ID), func() { cut(false) })
}

// delay makes one way between two nodes, or from a client to one, slow.
func delay(w *World) string {
	a, b := w.pair()
	if a == nil {
		return ""
	}
	if w.Rand.IntN(4) == 0 {
		a = nil
	}
	least := time.Duration(1+w.Rand.IntN(200)) * time.Millisecond
	w.Delay(a, b, least, least)
	return w.lasts(nil, fmt.Sprintf("from %s to %s takes %v", hostName(a), hostName(b), least), func() { w.Delay(a, b, 0, 0) })
}

// blackHole has the connections between two nodes, or of clients to one, die unheard.
func blackHole(w *World) string {
	a, b := w.pair()
	if a == nil {
		return ""
	}
	if w.Rand.IntN(2) == 0 {
		a = nil
	}
	from, to := hostName(a), hostName(b)
	n := w.net.Swallow(from, to)
	if n == 0 {
		return ""
	}
	return w.lasts(nil, fmt.Sprintf("%d connections of %s and %s are forgotten on the way", n, from, to), func() { w.net.Reset(from, to) })
}

func reset(w *World) string {
	a, b := w.pair()
	if a == nil {
		return ""
	}
	if w.Rand.IntN(2) == 0 {
		a = nil
	}
	n := w.net.Reset(hostName(a), hostName(b))
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d connections of %s and %s", n, hostName(a), hostName(b))
}

func splitReads(w *World) string {
	a, b := w.pair()
	if a == nil {
		return ""
	}
	if w.Rand.IntN(3) == 0 {
		a = nil
	}
	w.net.Chop(hostName(a), hostName(b), 1+w.Rand.IntN(200), w.draw())
	return w.lasts(nil, fmt.Sprintf("what %s sends to %s comes in pieces", hostName(a), hostName(b)), func() {
		w.net.Chop(hostName(a), hostName(b), 0, nil)
	})
}
