package memnet

import "context"

// Freeze has nothing arrive any more that one host sends to another, as when a cable is
// cut one way: bytes wait in flight, ends and resets too, writers fill the window and then
// wait, and who dials waits. With on false all of it arrives after all, as it does by
// TCP's repetitions.
func (n *Network) Freeze(from, to string, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if on {
		n.frozen[way{from, to}] = true
	} else {
		delete(n.frozen, way{from, to})
	}
	for c := range n.conns {
		n.freezeConn(c)
	}
	close(n.thawed)
	n.thawed = make(chan struct{})
}

// way is a direction between two hosts.
type way struct{ from, to string }

// freezeConn brings a connection to what is frozen now. mu is held.
func (n *Network) freezeConn(c *conn) {
	near, far := c.local.host(), c.remote.host()
	c.out.freeze(n.frozen[way{near, far}])
	c.in.freeze(n.frozen[way{far, near}])
}

// awaitWay waits until two hosts can reach each other.
func (n *Network) awaitWay(ctx context.Context, from, to string) error {
	for {
		n.mu.Lock()
		blocked, thawed := n.frozen[way{from, to}] || n.frozen[way{to, from}], n.thawed
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
