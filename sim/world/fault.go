package world

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Fault is something that may befall a world.
type Fault struct {
	Name string
	// Do has it happen, and says to whom; "" if it could not. It blocks while it happens,
	// and the test's goroutine alone calls it. What lasts is undone by Heal at the latest.
	Do func(w *World) string
}

// Faults are all there are.
func Faults() []Fault {
	return slices.Concat(nodeFaults, lineFaults, diskFaults, userFaults)
}

// Nemesis lets a world suffer what it has drawn for it.
type Nemesis struct {
	w      *World
	faults []Fault
}

// Nemesis draws what may befall the world in this seed: a few kinds of those that are given,
// or of all there are.
func (w *World) Nemesis(faults ...Fault) *Nemesis {
	if len(faults) == 0 {
		faults = Faults()
	}
	m := &Nemesis{w: w}
	for _, i := range w.Rand.Perm(len(faults))[:min(len(faults), 3+w.Rand.IntN(8))] {
		m.faults = append(m.faults, faults[i])
	}
	return m
}

// Kinds are the names of what this nemesis has drawn.
func (m *Nemesis) Kinds() (names []string) {
	for _, f := range m.faults {
		names = append(names, f.Name)
	}
	return names
}

// Strike lets one thing happen, or heals something, and says what.
func (m *Nemesis) Strike() string {
	w := m.w
	_ = w.replace(time.Second) // else it goes on later
	if what := w.relieve(); what != "" {
		return what
	}
	for range 10 {
		f := m.faults[w.Rand.IntN(len(m.faults))]
		if what := f.Do(w); what != "" {
			w.count(f.Name)
			return f.Name + ": " + what
		}
	}
	return "nothing"
}

// relieve brings a node back or ends something that lasts, if the dice want it.
func (w *World) relieve() string {
	if n := w.nodes[w.Rand.IntN(len(w.nodes))]; !n.Running() && !w.awaits(n) {
		n.Launch()
		return fmt.Sprintf("node %d starts", n.ID)
	}
	if len(w.lasting) > 0 && w.Rand.IntN(2) == 0 {
		i := w.Rand.IntN(len(w.lasting))
		l := w.lasting[i]
		w.lasting = slices.Delete(w.lasting, i, i+1)
		l.undo()
		return "no more: " + l.what
	}
	return ""
}

// lasting is a fault that goes on until it is undone. Undoing twice does nothing.
type lasting struct {
	what    string
	node    *Node // that has it, nil if it is no node's
	process bool  // it ends with the node's process
	undo    func()
}

// lasts has Strike or Heal undo something later, and says what it is.
func (w *World) lasts(n *Node, what string, undo func()) string {
	w.lasting = append(w.lasting, lasting{what: what, node: n, undo: undo})
	return what
}

// lastsWith is lasts for what ends with the node's process.
func (w *World) lastsWith(n *Node, what string, undo func()) string {
	w.lasting = append(w.lasting, lasting{what: what, node: n, process: true, undo: undo})
	return what
}

// ended undoes what ends with a node's process.
func (w *World) ended(n *Node) {
	w.lasting = slices.DeleteFunc(w.lasting, func(l lasting) bool {
		if over := l.node == n && l.process; over {
			l.undo()
			return true
		}
		return false
	})
}

// awaits reports whether a node is started by the replacement that is under way.
func (w *World) awaits(n *Node) bool { return w.replacing != nil && w.replacing.node == n }

// suffers reports whether something lasts on a node.
func (w *World) suffers(n *Node) bool {
	return slices.ContainsFunc(w.lasting, func(l lasting) bool { return l.node == n })
}

func (w *World) count(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally[name]++
}

// Tally is how often what befell the world, by the names of faults. Any goroutine may call it.
func (w *World) Tally() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.tally)
}

// pass lets up to so much time pass.
func (w *World) pass(limit time.Duration) { time.Sleep(time.Duration(w.Rand.Int64N(int64(limit)))) }

// victim is a node that runs and that suffers nothing yet, nil if the dice find none. Often
// it is one that matters.
func (w *World) victim() *Node {
	n := w.nodes[w.Rand.IntN(len(w.nodes))]
	if l := w.Leading(); l != nil && w.Rand.IntN(4) == 0 {
		n = l
	}
	if !n.Running() || w.suffers(n) {
		return nil
	}
	return n
}

// on does something to a node, if there is one, and says to which.
func on(n *Node, do func(*Node)) string {
	if n == nil {
		return ""
	}
	do(n)
	return fmt.Sprint("node ", n.ID)
}
