package world

import (
	"fmt"
	"time"
)

// Faults are all there are.
func Faults() []Fault {
	return []Fault{
		{"kill", func(w *World) string { return on(w.victim(), (*Node).Kill) }},
		{"kill two", killTwo},
		{"kill all", killAll},
		{"kill process", func(w *World) string { return on(w.victim(), (*Node).KillProcess) }},
		{"pause", func(w *World) string { return on(w.victim(), func(n *Node) { n.Pause(true) }) }},
		{"stop", func(w *World) string { return on(w.victim(), func(n *Node) { w.ends(n) }) }},
		{"restart all", restartAll},
		{"isolate", func(w *World) string { return on(w.victim(), func(n *Node) { n.Isolate(true, false) }) }},
		{"isolate one way", func(w *World) string { return on(w.victim(), func(n *Node) { n.Isolate(true, true) }) }},
		{"stall disk", func(w *World) string { return on(w.victim(), func(n *Node) { n.Stall(true) }) }},
	}
}

// victim is a node that runs and that nothing has befallen yet, nil if the dice find none.
// Often it is one that matters.
func (w *World) victim() *Node {
	n := w.nodes[w.Rand.IntN(len(w.nodes))]
	if l := w.Leading(); l != nil && w.Rand.IntN(4) == 0 {
		n = l
	}
	if !n.Running() || n.cutOff || n.paused || n.slow != nil {
		return nil
	}
	return n
}

// on does something to a node, and says to which.
func on(n *Node, do func(*Node)) string {
	if n == nil {
		return ""
	}
	do(n)
	return fmt.Sprint("node ", n.ID)
}

func killTwo(w *World) string {
	a, b := w.victim(), w.victim()
	if a == nil || b == nil || a == b {
		return ""
	}
	a.Kill()
	b.Kill()
	return fmt.Sprintf("nodes %d and %d", a.ID, b.ID)
}

func killAll(w *World) string {
	for _, n := range w.nodes {
		n.CutPower()
	}
	for _, n := range w.nodes {
		n.Kill()
	}
	for _, n := range w.nodes {
		n.Launch()
	}
	return "the power fails everywhere"
}

func (w *World) ends(n *Node) {
	if err := n.Halt(); err != nil {
		w.t.Errorf("node %d stopped: %v", n.ID, err)
	}
}

func restartAll(w *World) string {
	done := 0
	for _, n := range w.nodes {
		if !n.Running() || n.cutOff || n.paused || n.slow != nil {
			continue
		}
		w.ends(n)
		n.Launch()
		w.pass(1500 * time.Millisecond)
		done++
	}
	return fmt.Sprintf("%d nodes, one after the other", done)
}
