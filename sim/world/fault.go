package world

import (
	"fmt"
	"maps"
	"time"
)

// Fault is something that may befall a world.
type Fault struct {
	Name string
	// Do has it happen, and says to whom; "" if it could not. It blocks while it happens,
	// and the test's goroutine alone calls it. What lasts is undone by Heal at the latest.
	Do func(w *World) string
}

// Nemesis lets a world suffer what it has drawn for it.
type Nemesis struct {
	w      *World
	faults []Fault
}

// Nemesis draws what may befall the world in this seed: a few kinds of all there are, or
// of those that are given.
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

// Strike lets one thing happen, or heals something, and says what.
func (m *Nemesis) Strike() string {
	w := m.w
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

// relieve brings one node back, or lets one on, if there is one and the dice want it.
func (w *World) relieve() string {
	n := w.nodes[w.Rand.IntN(len(w.nodes))]
	switch {
	case n.cutOff:
		n.Isolate(false, false)
		return fmt.Sprintf("node %d is reached again", n.ID)
	case n.paused:
		n.Pause(false)
		return fmt.Sprintf("node %d goes on", n.ID)
	case n.slow != nil:
		n.Stall(false)
		return fmt.Sprintf("the disk of node %d goes on", n.ID)
	case !n.Running():
		n.Launch()
		return fmt.Sprintf("node %d starts", n.ID)
	}
	return ""
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

// later has Heal undo something.
func (w *World) later(undo func(w *World)) { w.undo = append(w.undo, undo) }

// pass lets up to so much time pass.
func (w *World) pass(limit time.Duration) { time.Sleep(time.Duration(w.Rand.Int64N(int64(limit)))) }
