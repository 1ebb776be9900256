package chaos

import (
	"context"
	"time"
)

// kill is kill -9: the disk keeps what was written, synced or not.
var kill = Fault{Name: "kill", do: func(_ context.Context, _ *Rig, h *Harm) error {
	return h.each(func(n *Node) error {
		if !n.Running() {
			return nil // somebody else's harm
		}
		h.later(func(context.Context) error { return n.begin() })
		return n.Kill()
	})
}}

// pause makes processes stand still, their sockets and leases as they were.
var pause = Fault{Name: "pause", do: func(_ context.Context, _ *Rig, h *Harm) error {
	return h.each(func(n *Node) error {
		if !n.Running() {
			return nil
		}
		pid := n.PID()
		h.later(func(context.Context) error {
			if !n.Running() || n.PID() != pid {
				return nil // it was killed meanwhile
			}
			return n.Resume()
		})
		return n.Pause()
	})
}}

// restart stops nodes in good order, one after the other, and launches each again before
// the next one goes. One that finds no order in time, as others keep it from it, is killed.
var restart = Fault{Name: "restart", do: func(ctx context.Context, _ *Rig, h *Harm) error {
	return h.each(func(n *Node) error {
		if !n.Running() {
			return nil
		}
		h.later(func(context.Context) error { return n.begin() })
		inOrder, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if err := n.Stop(inOrder); err != nil {
			h.Detail = "killed, it did not stop"
		}
		return n.begin()
	})
}}
