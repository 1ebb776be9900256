package memnet

import "context"

// Freeze has nothing arrive any more that one host sends to another, as when a cable is
// cut one way: bytes wait in flight, ends and resets too, writers fill the window and then
// wait, and who dials waits. With on false all of it arrives after all, as it does by
// TCP's repetitions. A host "" is all hosts; what is frozen by it is let on by it.
func (n *Network) Freeze(from, to string, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if on {
		n.frozen[way{from, to}] = true
	} else {
		delete(n.frozen, way{from, to})
	}
	n.tuneAll()
	close(n.thawed)
	n.thawed = make(chan struct{})
}

// way is a direction between two hosts.
type way struct{ from, to string }

// isFrozen reports whether nothing arrives on a way. mu is held.
func (n *Network) isFrozen(w way) bool {
	return len(n.frozen) > 0 && (n.frozen[w] || n.frozen[way{w.from, ""}] || n.frozen[way{"", w.to}])
}

// tuneAll brings all connections to what is wrong with the ways now. mu is held.
func (n *Network) tuneAll() {
	for c := range n.conns {
		n.tune(c)
	}
}

// tune brings both directions of a connection to what is wrong with their ways now. mu is
// held.
func (n *Network) tune(c *conn) {
	there, back := way{c.local.host(), c.remote.host()}, way{c.remote.host(), c.local.host()}
	c.out.tune(n.isFrozen(there), n.lags[there], n.chops[there])
	c.in.tune(n.isFrozen(back), n.lags[back], n.chops[back])
}

// awaitWay waits until two hosts can reach each other.
func (n *Network) awaitWay(ctx context.Context, from, to string) error {
	for {
		n.mu.Lock()
		blocked, thawed := n.isFrozen(way{from, to}) || n.isFrozen(way{to, from}), n.thawed
		n.mu.Unlock()
		if !blocked {
			return nil
		}
		select {
		case <-thawed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
