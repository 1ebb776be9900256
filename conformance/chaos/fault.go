package chaos

import (
	"context"
	"slices"
)

// Need is something that faults need and that not every machine has.
type Need string

const (
	Network  Need = "network"  // namespaces and a switch between them
	Disks    Need = "disks"    // a file system for each node
	Tracer   Need = "tracer"   // strace, which makes calls fail or last
	Memory   Need = "memory"   // a control group for each node
	Metadata Need = "metadata" // Config.MetadataApart
	Clock    Need = "clock"    // Config.Skewed
)

// Fault is one way to hurt nodes. Those that only make sense for a minority say so.
type Fault struct {
	Name     string
	Needs    []Need // what New must have found
	Minority bool   // never of so many nodes that the rest is no majority
	Alone    bool   // only when all replicas are in sync, and beside no other fault
	Fatal    bool   // a node may end itself over it, and is right to
	do       func(ctx context.Context, r *Rig, h *Harm) error
}

// Lacks says why the fault cannot be done on this rig; nothing if it can.
func (f Fault) Lacks(r *Rig) string {
	for _, need := range f.Needs {
		if why := r.lacks[need]; why != "" {
			return why
		}
	}
	return ""
}

// Harm is a fault that was done to some nodes.
type Harm struct {
	Fault   string
	On      []*Node
	Detail  string  // what chance added: which file, which direction
	Refused []int32 // those that, until they were mended, would not start

	alone bool
	undo  []func(ctx context.Context) error
}

// IDs are the nodes that were hurt.
func (h *Harm) IDs() (ids []int32) {
	for _, n := range h.On {
		ids = append(ids, n.ID)
	}
	return ids
}

// Undo takes the harm away: what was stopped goes on, who was killed is launched. It does
// not wait until that one serves. The second time it does nothing.
func (h *Harm) Undo(ctx context.Context) error {
	for len(h.undo) > 0 {
		last := len(h.undo) - 1
		if err := h.undo[last](ctx); err != nil {
			return err
		}
		h.undo = h.undo[:last]
	}
	return nil
}

// later remembers what undoes a part of the harm.
func (h *Harm) later(undo func(ctx context.Context) error) { h.undo = append(h.undo, undo) }

// each does something to every node that is hurt.
func (h *Harm) each(do func(n *Node) error) error {
	for _, n := range h.On {
		if err := do(n); err != nil {
			return err
		}
	}
	return nil
}

// Faults are all there are, whether this machine can do them or not. The list is the caller's.
func Faults() []Fault { return slices.Clone(all) }

// Named is the fault of that name. A name that is none is a mistake of the caller's.
func Named(name string) Fault {
	for _, f := range all {
		if f.Name == name {
			return f
		}
	}
	panic("bug: no fault is called " + name)
}

var all = []Fault{
	kill, pause, restart,
	unplug, isolate, mute, deaf, rift, halfRift, clients, unheard, ring, voters, slow, lossy,
	power, full, wipe,
	syncFails, syncFailsOnce, slowSync, writeFails, readFails,
	flips, torn, scratched, flipsJournal, flipsMetadata,
	memory,
	wrongHour,
}
