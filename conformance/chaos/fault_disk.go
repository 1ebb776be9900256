package chaos

import (
	"context"
	"errors"
	"os"
)

// power takes the power from all that are hurt, at one instant as nearly as can be.
var power = Fault{Name: "power cut", Needs: []Need{Disks}, do: func(_ context.Context, _ *Rig, h *Harm) error {
	var on []*Node
	for _, n := range h.On {
		if !n.off {
			on = append(on, n)
			h.later(func(context.Context) error { return n.begin() })
		}
	}
	return cutPower(on...)
}}

// cutPower ends the nodes, and before they are gone, the disks: what was told was told by
// then, what was not synced is lost, and a sync that was under way is torn.
func cutPower(nodes ...*Node) error {
	var errs []error
	for _, n := range nodes {
		n.off = true
		n.Doom()
	}
	for _, n := range nodes {
		errs = append(errs, n.Disk.Cut())
	}
	for _, n := range nodes {
		n.End()
	}
	return errors.Join(errs...)
}

// full takes all room on the disks but a little, until it is given back.
var full = Fault{Name: "full disk", Needs: []Need{Disks}, Fatal: true, do: func(_ context.Context, _ *Rig, h *Harm) error {
	return h.each(func(n *Node) error {
		if n.off {
			return nil
		}
		h.later(func(context.Context) error {
			if n.off {
				if err := n.PowerOn(); err != nil {
					return err
				}
			}
			if err := n.Disk.Free(); err != nil {
				return err
			}
			return n.begin()
		})
		return n.Disk.Fill(0)
	})
}}

// wipe is a node whose disk is replaced by an empty one, but for what it knows of the
// cluster: its vote is on another disk.
var wipe = Fault{Name: "lost disk", Needs: []Need{Metadata}, Minority: true, Alone: true, do: func(_ context.Context, _ *Rig, h *Harm) error {
	return h.each(func(n *Node) error {
		n.End()
		h.later(func(context.Context) error { return n.begin() })
		if err := os.RemoveAll(n.Data); err != nil {
			return err
		}
		return n.begin()
	})
}}
