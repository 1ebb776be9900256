package partition

import (
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/store/producers"
)

// invariants hold at any time.
func (c *cluster) invariants() {
	c.t.Helper()
	for id := int32(1); id <= 3; id++ {
		n := c.nodes[id]
		if len(n.broken) > 0 {
			c.t.Fatalf("node %d is broken: %v", id, n.broken)
		}
		if !n.up {
			continue
		}
		o, r := c.marks(n), n.p.Role()
		if d := n.p.DurableEnd(); o.Start > o.Stable || o.Stable > o.HW || o.HW > d || d > o.End {
			c.t.Fatalf("node %d: start %d, stable %d, hw %d, durable %d, end %d", id, o.Start, o.Stable, o.HW, d, o.End)
		}
		if life := fmt.Sprint(id, n.epoch, r.Epoch); r.Leading {
			if o.HW < c.led[life] {
				c.t.Fatalf("node %d: hw fell from %d to %d while leading in epoch %d", id, c.led[life], o.HW, r.Epoch)
			}
			c.led[life] = o.HW
		}
		for other := int32(1); other < id; other++ {
			if m := c.nodes[other]; m.up {
				c.same(n, m)
			}
		}
	}
}

// same compares two replicas below the high watermarks of both.
func (c *cluster) same(n, m *node) {
	c.t.Helper()
	limit := min(n.p.HighWatermark(), m.p.HighWatermark())
	from := max(c.marks(n).Start, c.marks(m).Start)
	a, b := n.batches(limit), m.batches(limit)
	for _, pair := range [][2]map[int64]string{{a, b}, {b, a}} {
		for at, batch := range pair[0] {
			if at >= from && pair[1][at] != batch {
				c.t.Fatalf("nodes %d and %d differ at %d, below %d\n%v\n%v", n.id, m.id, at, limit, n.values(), m.values())
			}
		}
	}
}

// heal brings everybody back and waits until they agree.
func (c *cluster) heal() {
	c.trace("heal")
	c.mood = mood{} // no more trouble
	for range 600 { // of fetches of a few batches each
		for id := int32(1); id <= 3; id++ {
			n := c.nodes[id]
			for !n.up {
				c.restart()
			}
			if n.hold(false); c.fenced[id] {
				c.unfence(id)
			}
			for n.at < len(c.states)-1 {
				c.see(n)
			}
			c.mend(n)
			c.report()
			c.fetch(n)
			c.propose(n)
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if c.whole() {
			return
		}
	}
	for id := int32(1); id <= 3; id++ {
		n := c.nodes[id]
		c.t.Logf("node %d: %+v, role %+v, %+v", id, c.marks(n), n.p.Role(), n.p.Followers())
	}
	c.t.Fatalf("it does not become whole: %+v", c.now())
}

func (c *cluster) whole() bool {
	l := c.nodes[c.now().Leader]
	if l == nil || len(c.now().ISR) < 3 || c.now().lost[1]+c.now().lost[2]+c.now().lost[3] > 0 {
		return false
	}
	for id := int32(1); id <= 3; id++ {
		if o := c.marks(c.nodes[id]); c.nodes[id].p.Rotten() || o.HW != o.End || o.End != c.marks(l).End {
			return false
		}
	}
	return true
}

// verify looks for every acknowledged record on every replica.
func (c *cluster) verify() {
	c.t.Helper()
	acked := 0
	for id := int32(1); id <= 3; id++ {
		n := c.nodes[id]
		all := n.batches(1 << 62)
		for _, s := range c.records {
			if !s.acked || s.end <= c.marks(n).Start {
				continue
			}
			acked++
			if got := all[s.base]; got != s.value {
				c.t.Fatalf("node %d has lost [%d, %d), acknowledged by node %d in epoch %d: it has %d bytes there\n%v", id, s.base, s.end, s.node, s.epoch, len(got), n.values())
			}
		}
		if start := c.marks(n).Start; start < c.start {
			c.t.Logf("node %d starts at %d, deleted before %d", id, start, c.start)
		}
	}
	c.trace("%d of %d records acknowledged, times three", acked, len(c.records))
	first := c.producers(1)
	for id := int32(2); id <= 3; id++ {
		if list := c.producers(id); !slices.Equal(first, list) {
			c.t.Fatalf("node 1 knows the producers %+v, node %d %+v", first, id, list)
		}
	}
}

// producers are those that a node knows by records that every node has.
func (c *cluster) producers(id int32) []producers.Entry {
	list, err := c.nodes[id].p.Producers()
	if err != nil {
		c.t.Fatal(err)
	}
	start := int64(0)
	for _, n := range c.nodes {
		start = max(start, c.marks(n).Start)
	}
	return slices.DeleteFunc(list, func(e producers.Entry) bool { return e.LastOffset < start })
}

func (c *cluster) close() {
	for id := int32(1); id <= 3; id++ {
		c.nodes[id].end()
	}
}
