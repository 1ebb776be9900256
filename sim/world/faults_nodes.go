package world

import (
	"fmt"
	"time"
)

// What befalls machines and processes.
var nodeFaults = []Fault{
	{"kill", func(w *World) string { return on(w.victim(), (*Node).Kill) }},
	{"kill and start", func(w *World) string { return on(w.victim(), killAndStart) }},
	{"kill two", killTwo},
	{"kill all", killAll},
	{"kill process", func(w *World) string { return on(w.victim(), (*Node).KillProcess) }},
	{"pause", pause},
	{"stop", func(w *World) string { return on(w.victim(), w.ends) }},
	{"restart", func(w *World) string { return on(w.victim(), w.restart) }},
	{"restart all", restartAll},
	{"wrong hour", wrongHour},
	{"lost disk", lostDisk},
}

func killAndStart(n *Node) {
	n.Kill()
	n.Launch()
}

func killTwo(w *World) string {
	a, b := w.victim(), w.victim()
	if a == nil || b == nil || a == b {
		return ""
	}
	a.CutPower() // at one instant
	b.CutPower()
	a.Kill()
	b.Kill()
	return fmt.Sprintf("nodes %d and %d", a.ID, b.ID)
}

func killAll(w *World) string {
	for _, n := range w.nodes {
		n.CutPower() // at one instant
	}
	for _, n := range w.nodes {
		n.Kill()
	}
	for _, n := range w.nodes {
		if !w.awaits(n) {
			n.Launch()
		}
	}
	return "the power fails everywhere"
}

func pause(w *World) string {
	n := w.victim()
	if n == nil {
		return ""
	}
	n.Pause(true)
	return w.lastsWith(n, fmt.Sprintf("node %d stands still", n.ID), func() { n.Pause(false) })
}

// ends stops a node in order.
func (w *World) ends(n *Node) {
	if err := n.Halt(); err != nil {
		w.t.Errorf("node %d stopped: %v", n.ID, err)
	}
}

func (w *World) restart(n *Node) {
	w.ends(n)
	n.Launch()
}

func restartAll(w *World) string {
	done := 0
	for _, n := range w.nodes {
		if !n.Running() || w.suffers(n) {
			continue
		}
		w.restart(n)
		w.pass(1500 * time.Millisecond)
		done++
	}
	return fmt.Sprintf("%d nodes, one after the other", done)
}

// wrongHour sets a machine's wall clock wrong by less than an hour: of one that is late by more
// brokers refuse what others say is of now (message.timestamp.after.max.ms).
func wrongHour(w *World) string {
	n := w.nodes[w.Rand.IntN(len(w.nodes))]
	by := time.Duration(w.Rand.Int64N(int64(110*time.Minute))) - 55*time.Minute
	n.SetClock(by)
	return w.lasts(nil, fmt.Sprintf("the clock of node %d is wrong by %v", n.ID, by.Round(time.Second)), func() { n.SetClock(0) })
}
