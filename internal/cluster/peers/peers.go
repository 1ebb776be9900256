package peers

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/proto/link"
)

// Peers is one node's talk with the others.
type Peers struct {
	c      Config
	link   *link.Link
	answer atomic.Pointer[func(context.Context, Envelope) ([]byte, error)]
	tails  tails
	snaps  snaps
	joined atomic.Bool // a node of this cluster has welcomed this one

	mu     sync.Mutex // guards what follows; held over no wait
	leader leader     // as nodes without a vote know it
	moved  chan struct{}
	found  map[int32]string // addresses that other nodes have told
}

// leader is who leads the quorum, and in which term.
type leader struct {
	node int32
	term int64
}

// New returns Peers that speak to nobody before Run.
func New(c Config) (*Peers, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	p := &Peers{c: c, leader: leader{node: -1}, moved: make(chan struct{})}
	p.tails.flights = map[ask]*flight{}
	p.snaps.offers, p.snaps.flying = make(chan *offer, 16), map[int32]bool{}
	p.SetAnswer(c.Answer)
	l, err := link.New(link.Config{
		Self: p.self, Dial: c.Dial, Check: p.check, Receive: p.receive, Handle: p.handle,
		Gone: p.gone, Lost: p.lost, Refused: p.refused, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	p.link = l
	l.SetPeers(p.addresses())
	return p, nil
}

// SetAnswer gives Peers who decides requests on this node while it leads.
func (p *Peers) SetAnswer(f func(context.Context, Envelope) ([]byte, error)) {
	if f != nil {
		p.answer.Store(&f)
	}
}

// Run keeps lines to the nodes of the quorum until ctx ends.
func (p *Peers) Run(ctx context.Context) error {
	g := run.New(ctx, "peers")
	g.Go("link", p.link.Run)
	g.Go("address book", p.keepBook)
	g.Go("snapshots", func(ctx context.Context) error { return p.sendSnapshots(ctx, g) })
	if len(p.c.Bootstrap) > 0 {
		g.Go("discovery", p.discover)
	}
	return g.Wait()
}

// Serve serves a connection of another node, until it ends.
func (p *Peers) Serve(ctx context.Context, nc net.Conn) error { return p.link.Serve(ctx, nc) }

// Listen accepts connections of other nodes until ctx ends.
func (p *Peers) Listen(ctx context.Context, ln net.Listener) error { return p.link.Listen(ctx, ln) }

// Leader is the node that leads the quorum, -1 if that is not known, and its term.
func (p *Peers) Leader() (node int32, term int64) {
	l := p.leads()
	return l.node, l.term
}

// leads is what this node's own part in the quorum says where it has a vote, and what
// other nodes have said where it has not: a node that was removed, or waits to be added,
// may have been told long ago.
func (p *Peers) leads() leader {
	if p.c.Quorum != nil {
		if st := p.c.Quorum.Status(); st.Votes(p.c.Node) {
			return leader{st.Leader, st.Term}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leader
}

// learn takes the word of another node on who leads. One of an older term has nothing
// new to say.
func (p *Peers) learn(node int32, term int64) {
	if p.hear(leader{node, term}) {
		p.locate(node)
	}
}

// hear reports whether it is news who leads.
func (p *Peers) hear(is leader) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if is.term < p.leader.term || is == p.leader || is.term == p.leader.term && is.node < 0 {
		return false
	}
	p.leader = is
	p.ring()
	return true
}

// forget does away with a leader that does not answer or says that it is none.
func (p *Peers) forget(node int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leader.node == node {
		p.leader.node = -1
		p.ring()
	}
}

// ring wakes who waits for a leader. mu is held.
func (p *Peers) ring() {
	close(p.moved)
	p.moved = make(chan struct{})
}

// gone is told by the link that a process has died.
func (p *Peers) gone(node int32) {
	l := p.leads()
	p.c.Log.Info("peers: the process of a node is gone", "node", node, "led", l.node == node)
	p.forget(node)
	p.c.LeaderGone(node)
}

func (p *Peers) lost(remote link.Hello) { p.c.LineLost(remote.Node) }
