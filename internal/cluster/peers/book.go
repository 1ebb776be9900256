package peers

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/link"
)

// self is what this node says of itself.
func (p *Peers) self() link.Hello {
	l := p.leads()
	h := link.Hello{
		ClusterID: p.c.ClusterID(), Node: p.c.Node, Directory: p.c.Directory, Incarnation: p.c.Incarnation,
		Release: p.c.Release, Leader: l.node, Term: l.term, Offset: p.c.Feed.Image().Offset,
	}
	book := p.addresses()
	for _, node := range slices.Sorted(maps.Keys(book)) {
		h.Voters = append(h.Voters, link.Peer{Node: node, Address: book[node][0]})
	}
	return h
}

// addresses are those of the quorum: as they are registered, as others have told, and as
// they were given. All are tried: a cluster that has moved while it stood still has old
// ones registered, and one that was changed while it ran was given old ones.
func (p *Peers) addresses() map[int32][]string {
	book := map[int32][]string{}
	add := func(node int32, address string) {
		if address != "" && !slices.Contains(book[node], address) {
			book[node] = append(book[node], address)
		}
	}
	for c := range p.c.Feed.Image().Controllers() {
		if a, ok := p.endpoint(c); ok {
			add(c.ID, a)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for node, a := range p.found {
		add(node, a)
	}
	for node, a := range p.c.Voters {
		add(node, a)
	}
	return book
}

func (p *Peers) endpoint(c *metadata.Controller) (string, bool) {
	for _, e := range c.Endpoints {
		if p.c.Listener == "" || e.Listener == p.c.Listener {
			return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))), true
		}
	}
	return "", false
}

// keepBook tells the link of addresses that have changed, and has it look anew at who is
// at the other ends.
func (p *Peers) keepBook(ctx context.Context) error {
	image := metadata.Empty()
	for named := p.c.ClusterID(); ; {
		next, changes, err := p.c.Feed.Next(ctx, image)
		if err != nil {
			return err
		}
		image = next
		if len(changes.Controllers) > 0 {
			p.link.SetPeers(p.addresses())
		}
		if is := p.c.ClusterID(); is != named || len(changes.Controllers) > 0 {
			named = is
			p.link.Greet()
		}
	}
}

// discover asks the bootstrap servers for the quorum until it is known, and again when
// no line to it is up.
func (p *Peers) discover(ctx context.Context) error {
	for {
		if len(p.link.Up()) == 0 {
			for _, address := range p.c.Bootstrap {
				p.askAt(ctx, address)
			}
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

func (p *Peers) askAt(ctx context.Context, address string) {
	h, err := p.link.Hello(ctx, address)
	if _, refused := errors.AsType[*kerr.Error](err); refused {
		p.refused(-1, err)
		return
	}
	if err == nil {
		err = p.check(h)
	}
	if err != nil {
		p.c.Log.Debug("peers: a bootstrap server does not answer", "address", address, "error", err)
		return
	}
	p.mu.Lock()
	for _, v := range h.Voters {
		p.find(v)
	}
	p.mu.Unlock()
	p.learn(h.Leader, h.Term)
	p.link.SetPeers(p.addresses())
}

// locate finds the address of a node that this one was not told of, in what others say of
// the quorum, and in more: one that has joined while this node was down may lead, and
// without a line to it nothing comes here of its registration. Who is not needed is not
// looked for: those who left long ago are named for long.
func (p *Peers) locate(node int32, more ...link.Hello) {
	if node < 0 || node == p.c.Node || p.link.Knows(node) {
		return
	}
	told := append(p.link.Up(), more...)
	p.mu.Lock()
	for _, h := range told {
		for _, v := range h.Voters {
			if v.Node == node {
				p.find(v)
			}
		}
	}
	address, found := p.found[node]
	p.mu.Unlock()
	if found {
		p.c.Log.Info("peers: the address of a node is known from others", "node", node, "address", address)
		p.link.SetPeers(p.addresses())
	}
}

// find keeps an address that others have told. mu is held.
func (p *Peers) find(v link.Peer) {
	if p.found == nil {
		p.found = map[int32]string{}
	}
	p.found[v.Node] = v.Address
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
