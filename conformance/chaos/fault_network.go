package chaos

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/odradek/odradek/conformance/lan"
)

// The faults of the network are set on directed links between machines, and each undoes
// just the links that it has set. Where two have set one, the later one holds until its
// end, and then the link is whole.

// unplug: nobody hears the node and it hears nobody, clients neither.
var unplug = cutting("unplug", func(r *Rig, n *Node) (pairs []pair) {
	return append(append(from(n, r.others(n)...), to(n, r.others(n)...)...), pair{n.addr(), r.LAN.Outside}, pair{r.LAN.Outside, n.addr()})
})

// isolate: no other node hears it or is heard by it, while clients reach all.
var isolate = cutting("isolate", func(r *Rig, n *Node) []pair {
	return append(from(n, r.others(n)...), to(n, r.others(n)...)...)
})

// mute: no other node hears it.
var mute = cutting("mute", func(r *Rig, n *Node) []pair { return from(n, r.others(n)...) })

// deaf: it hears no other node.
var deaf = cutting("deaf", func(r *Rig, n *Node) []pair { return to(n, r.others(n)...) })

// rift: it and one other do not hear each other, while both hear the rest.
var rift = cutting("rift", func(r *Rig, n *Node) []pair {
	other := r.next(n)
	return append(from(n, other), to(n, other)...)
})

// half a rift: the other one hears it no more.
var halfRift = cutting("half rift", func(r *Rig, n *Node) []pair { return from(n, r.next(n)) })

// clients: it and clients do not hear each other.
var clients = cutting("clients cut off", func(r *Rig, n *Node) []pair {
	return []pair{{n.addr(), r.LAN.Outside}, {r.LAN.Outside, n.addr()}}
})

// unheard: clients do not hear it, but it hears them: it does what is never answered.
var unheard = cutting("clients do not hear", func(r *Rig, n *Node) []pair {
	return []pair{{n.addr(), r.LAN.Outside}}
})

// ring: each hears its neighbours alone, whoever is asked for. With three nodes all are
// neighbours, and the first hears the last no more.
var ring = Fault{Name: "ring", Needs: []Need{Network}, do: func(_ context.Context, r *Rig, h *Harm) error {
	var pairs []pair
	for i, a := range r.Nodes {
		for j, b := range r.Nodes {
			apart := (j - i + len(r.Nodes)) % len(r.Nodes)
			if i != j && (apart != 1 && apart != len(r.Nodes)-1 || len(r.Nodes) == 3 && abs(i-j) == 2) {
				pairs = append(pairs, pair{a.addr(), b.addr()})
			}
		}
	}
	r.set(h, lan.Link{Cut: true}, pairs...)
	return nil
}}

// voters: only what voters say to one another is lost, both ways.
var voters = Fault{Name: "voters cut", Needs: []Need{Network}, do: func(_ context.Context, r *Rig, h *Harm) error {
	var ports []uint16
	for _, n := range r.Nodes {
		ports = append(ports, portOf(n.Controller))
	}
	return h.each(func(n *Node) error {
		r.set(h, lan.Link{Cut: true, Ports: ports}, append(from(n, r.others(n)...), to(n, r.others(n)...)...)...)
		return nil
	})
}}

// slow: what the node says and hears is late, and out of order.
var slow = badly("slow network", func(r *Rig, h *Harm) lan.Link {
	l := lan.Link{Delay: time.Duration(5+r.rng.IntN(200)) * time.Millisecond}
	l.Jitter = time.Duration(r.rng.Int64N(int64(l.Delay)))
	h.Detail = fmt.Sprintf("%v + up to %v", l.Delay, l.Jitter)
	return l
})

// lossy: packets are lost on the way to and from the node.
var lossy = badly("lossy network", func(r *Rig, h *Harm) lan.Link {
	l := lan.Link{Loss: 0.02 + 0.2*r.rng.Float64()}
	h.Detail = fmt.Sprintf("%.0f%% lost", 100*l.Loss)
	return l
})

// pair is a directed link.
type pair struct{ from, to netip.Addr }

// cutting is a fault that cuts links of each node that is hurt.
func cutting(name string, links func(r *Rig, n *Node) []pair) Fault {
	return Fault{Name: name, Needs: []Need{Network}, do: func(_ context.Context, r *Rig, h *Harm) error {
		return h.each(func(n *Node) error {
			r.set(h, lan.Link{Cut: true}, links(r, n)...)
			return nil
		})
	}}
}

// badly is a fault that makes all links of each node bad.
func badly(name string, how func(r *Rig, h *Harm) lan.Link) Fault {
	return Fault{Name: name, Needs: []Need{Network}, do: func(_ context.Context, r *Rig, h *Harm) error {
		l := how(r, h)
		return h.each(func(n *Node) error {
			r.set(h, l, append(append(from(n, r.others(n)...), to(n, r.others(n)...)...), pair{n.addr(), r.LAN.Outside}, pair{r.LAN.Outside, n.addr()})...)
			return nil
		})
	}}
}

// set makes links so until the harm is undone.
func (r *Rig) set(h *Harm, l lan.Link, pairs ...pair) {
	for _, p := range pairs {
		r.LAN.Set(p.from, p.to, l)
	}
	h.later(func(context.Context) error {
		for _, p := range pairs {
			r.LAN.Set(p.from, p.to, lan.Link{})
		}
		return nil
	})
}

func (n *Node) addr() netip.Addr { return n.rig.LAN.Hosts[n.ID-1] }

func from(n *Node, others ...*Node) (pairs []pair) {
	for _, o := range others {
		pairs = append(pairs, pair{n.addr(), o.addr()})
	}
	return pairs
}

func to(n *Node, others ...*Node) (pairs []pair) {
	for _, o := range others {
		pairs = append(pairs, pair{o.addr(), n.addr()})
	}
	return pairs
}

// others are all nodes but one.
func (r *Rig) others(but *Node) (nodes []*Node) {
	for _, n := range r.Nodes {
		if n != but {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// next is the node after one, in a ring.
func (r *Rig) next(n *Node) *Node { return r.Nodes[int(n.ID)%len(r.Nodes)] }

func portOf(address string) uint16 {
	p, _ := strconv.ParseUint(address[strings.LastIndexByte(address, ':')+1:], 10, 16)
	return uint16(p)
}

func abs(i int) int { return max(i, -i) }
