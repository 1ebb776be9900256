package chaos

import (
	"context"
	"fmt"
)

// MemoryLimit is what nodes have while memory is scarce.
const MemoryLimit = 256 << 20

// memory bounds what a node's group may hold, the pages of its files too. The system kills
// one that needs more.
var memory = Fault{Name: "little memory", Needs: []Need{Memory}, Fatal: true, do: func(_ context.Context, _ *Rig, h *Harm) error {
	h.Detail = fmt.Sprintf("%d MiB", MemoryLimit>>20)
	return h.each(func(n *Node) error {
		h.later(func(context.Context) error {
			if err := n.group.Limit(0); err != nil {
				return err
			}
			return n.begin()
		})
		return n.group.Limit(MemoryLimit)
	})
}}
