package chaos

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// wrongHour lets the hour of nodes jump, forward or back, and back again in the end. No
// tool can do that to one process; a program built with the tag skewed reads how wrong it
// is from a file.
var wrongHour = Fault{Name: "wrong hour", Needs: []Need{Clock}, do: func(_ context.Context, r *Rig, h *Harm) error {
	by := time.Duration(1+r.rng.IntN(60)) * time.Minute
	if r.rng.IntN(2) == 0 {
		by = -by
	}
	h.Detail = by.String()
	return h.each(func(n *Node) error {
		h.later(func(context.Context) error { return n.Skew(0) })
		return n.Skew(by)
	})
}}

// Skew makes the node's hour wrong from now on. It needs Clock.
func (n *Node) Skew(by time.Duration) error {
	temp := filepath.Join(filepath.Dir(n.skew()), "skew")
	if err := os.WriteFile(temp, []byte(by.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(temp, n.skew())
}
