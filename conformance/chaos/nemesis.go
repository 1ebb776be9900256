package chaos

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"
)

// Nemesis does faults to a rig, round after round: a quarter of the rounds are quiet, in
// the others one to three faults last for the round. What each round does is drawn from
// Rand alone; what comes of it is up to the machine.
type Nemesis struct {
	Rig      *Rig
	Rand     *rand.Rand
	Faults   []Fault          // default: all that the rig can do
	Targets  []Target         // default: Targets
	Shortest time.Duration    // of a round; default 5 s
	Longest  time.Duration    // default 20 s
	Patience time.Duration    // for healing; default 2 min
	Happened func(Event)      // called from Run's goroutine; may be nil
	tally    map[string]int64 // faults by name
}

// Event is something that the nemesis did.
type Event struct {
	At     time.Time
	Kind   string // do, undo, fail, heal
	Fault  string `json:",omitempty"`
	Target string `json:",omitempty"`
	Nodes  []int32
	Detail string `json:",omitempty"`
}

// Run hurts and heals until ctx ends, and leaves a cluster that is whole. It returns an
// error if the cluster cannot be healed or a node ended that had no reason to.
func (m *Nemesis) Run(ctx context.Context) error {
	m.defaults()
	for ctx.Err() == nil {
		if err := m.round(ctx); err != nil {
			return err
		}
	}
	return m.heal(context.WithoutCancel(ctx))
}

// Tally is how often each fault was done.
func (m *Nemesis) Tally() map[string]int64 { return maps.Clone(m.tally) }

func (m *Nemesis) defaults() {
	if m.Faults == nil {
		for _, f := range Faults() {
			if f.Lacks(m.Rig) == "" {
				m.Faults = append(m.Faults, f)
			}
		}
	}
	if m.Targets == nil {
		m.Targets = Targets()
	}
	if m.Shortest == 0 {
		m.Shortest = 5 * time.Second
	}
	if m.Longest < m.Shortest {
		m.Longest = max(20*time.Second, m.Shortest)
	}
	if m.Patience == 0 {
		m.Patience = 2 * time.Minute
	}
	m.tally = make(map[string]int64)
}

// round does what it draws, lets it last, and undoes it. The end of over shortens it, and
// stops nothing half way.
func (m *Nemesis) round(over context.Context) error {
	ctx := context.WithoutCancel(over)
	long := m.Shortest + time.Duration(m.Rand.Int64N(int64(m.Longest-m.Shortest)+1))
	var harms []*Harm
	for _, f := range m.draw() {
		target := m.Targets[m.Rand.IntN(len(m.Targets))]
		if f.Alone {
			if err := m.heal(ctx); err != nil {
				return err
			}
		}
		on, err := target.Pick(ctx, m.Rig, m.Rand)
		if err != nil {
			return err
		}
		if f.Minority {
			on = on[:min(len(on), minority(m.Rig))]
		}
		h, err := m.Rig.Do(ctx, f, on...)
		if h != nil {
			harms = append(harms, h)
			m.tell(Event{Kind: "do", Fault: f.Name, Target: target.Name, Nodes: h.IDs(), Detail: h.Detail})
		}
		if err != nil {
			return err
		}
		m.tally[f.Name]++
	}
	select {
	case <-over.Done():
	case <-time.After(long):
	}
	alone := false
	for i := len(harms) - 1; i >= 0; i-- {
		h := harms[i]
		if err := h.Undo(ctx); err != nil {
			return fmt.Errorf("undo %s: %w", h.Fault, err)
		}
		alone = alone || h.alone
		m.tell(Event{Kind: "undo", Fault: h.Fault, Nodes: h.IDs()})
	}
	if err := m.Rig.Unasked(); err != nil {
		return err
	}
	if alone {
		return m.heal(ctx)
	}
	return nil
}

// draw is the faults of a round: none in a quarter of them, else up to three, or one that
// must be alone.
func (m *Nemesis) draw() (faults []Fault) {
	if len(m.Faults) == 0 || m.Rand.IntN(4) == 0 {
		return nil
	}
	for range 1 + m.Rand.IntN(3) {
		f := m.Faults[m.Rand.IntN(len(m.Faults))]
		if f.Alone {
			if len(faults) == 0 {
				return []Fault{f}
			}
			continue
		}
		faults = append(faults, f)
	}
	return faults
}

func (m *Nemesis) heal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.Patience)
	defer cancel()
	began := time.Now()
	err := m.Rig.Heal(ctx)
	m.tell(Event{Kind: "heal", Detail: time.Since(began).Round(time.Millisecond).String()})
	return err
}

func (m *Nemesis) tell(e Event) {
	e.At = time.Now()
	if m.Happened != nil {
		m.Happened(e)
	}
}
