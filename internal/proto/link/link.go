package link

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/base/run"
)

// Link is all lines of one node.
type Link struct {
	c       Config
	node    int32        // this one
	budget  atomic.Int64 // bytes that payloads in pieces may hold, of all lines
	opening atomic.Int32 // accepted connections before their hello

	changed chan struct{} // a token when SetPeers was called

	mu       sync.Mutex // guards all below; taken before a peer's; held over no wait
	peers    map[int32]*peer
	retired  []*peer // to be stopped
	accepted map[*line]struct{}
	ended    error
}

// New returns a Link that dials nobody before Run.
func New(c Config) (*Link, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	l := &Link{
		c: c, node: c.Self().Node, changed: make(chan struct{}, 1),
		peers: map[int32]*peer{}, accepted: map[*line]struct{}{},
	}
	l.budget.Store(2 * int64(c.MaxPayload))
	return l, nil
}

// Run dials the peers and keeps lines to them until ctx ends.
func (l *Link) Run(ctx context.Context) error {
	g := run.New(ctx, "link")
	g.Go("peers", func(ctx context.Context) error { return l.keep(ctx, g) })
	err := g.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = context.Cause(ctx)
	for _, p := range l.peers {
		p.fail(l.ended)
	}
	return err
}

// keep starts and stops the goroutines of peers as they are named.
func (l *Link) keep(ctx context.Context, g *run.Group) error {
	for {
		l.mu.Lock()
		for _, p := range l.retired {
			if p.stop != nil {
				p.stop()
			}
			p.fail(errEnded)
		}
		l.retired = nil
		for _, node := range slices.Sorted(maps.Keys(l.peers)) {
			if p := l.peers[node]; p.stop == nil {
				mine, stop := context.WithCancel(ctx)
				p.stop = stop
				g.Go(fmt.Sprintf("line to %d", node), func(context.Context) error {
					defer stop()
					if err := p.run(mine); ctx.Err() != nil {
						return err
					}
					return nil // it is no peer any more
				})
			}
		}
		l.mu.Unlock()
		select {
		case <-l.changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// SetPeers says which nodes there are, by id, and their addresses, which are tried in
// turn. Lines to those that are no longer named end.
func (l *Link) SetPeers(addresses map[int32][]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for node, p := range l.peers {
		if !p.move(addresses[node]) || node == l.node {
			delete(l.peers, node)
			l.retired = append(l.retired, p)
		}
	}
	for node, list := range addresses {
		if l.peers[node] == nil && node != l.node && len(list) > 0 {
			p := newPeer(l, node, list)
			p.down = l.ended
			l.peers[node] = p
		}
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *Link) peer(node int32) *peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peers[node]
}

// Knows reports whether a node is one of the peers.
func (l *Link) Knows(node int32) bool { return l.peer(node) != nil }

// Send sends a message without waiting, and reports whether it is on its way: it is not
// if there is no line to the node, or if too much waits for it. The payload must not be
// changed afterwards.
func (l *Link) Send(node int32, kind uint8, payload []byte) bool {
	p := l.peer(node)
	return p != nil && len(payload) <= l.c.MaxPayload && p.send(kind, payload)
}

// Call waits for a node's answer. An error that matches ErrDown says that the call was
// not sent, one that matches ErrLost that it may have had its effect; so may one that
// echoes the end of ctx. Any other is the node's. The payload must not be changed before
// Call returns.
func (l *Link) Call(ctx context.Context, node int32, kind uint8, payload []byte) ([]byte, error) {
	p := l.peer(node)
	if p == nil {
		return nil, fmt.Errorf("node %d: %w: its address is not known", node, ErrDown)
	}
	if len(payload) > l.c.MaxPayload {
		return nil, fmt.Errorf("node %d: a call of %d bytes, most is %d", node, len(payload), l.c.MaxPayload)
	}
	return p.call(ctx, kind, payload)
}

// Up lists the nodes to which a line is up, and what they said last.
func (l *Link) Up() []Hello {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []Hello
	for _, node := range slices.Sorted(maps.Keys(l.peers)) {
		p := l.peers[node]
		p.mu.Lock()
		if p.line != nil {
			list = append(list, *p.line.remote.Load())
		}
		p.mu.Unlock()
	}
	return list
}

// Hello asks who answers at an address.
func (l *Link) Hello(ctx context.Context, address string) (Hello, error) {
	nc, _, h, err := l.meet(ctx, address, helloAsk)
	if err != nil {
		return Hello{}, err
	}
	nc.Close()
	return h, nil
}

// Greet says anew on every line who this node is, and looks anew at who the others are:
// to be called when what Self or Check say has changed.
func (l *Link) Greet() {
	hello := l.c.Self().append(nil)
	for _, n := range l.lines() {
		n.out.tell(control{typ: frameHello, payload: hello})
		n.review()
	}
}

func (l *Link) lines() []*line {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Collect(maps.Keys(l.accepted))
	for _, p := range l.peers {
		p.mu.Lock()
		if p.line != nil {
			list = append(list, p.line)
		}
		p.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b *line) int { return int(a.remote.Load().Node) - int(b.remote.Load().Node) })
	return list
}

// meet dials an address and exchanges hellos.
func (l *Link) meet(ctx context.Context, address string, kind uint8) (net.Conn, *frames, Hello, error) {
	dialing, cancel := context.WithTimeout(ctx, l.c.DialFor)
	defer cancel()
	nc, err := l.c.Dial(dialing, address)
	if err != nil {
		return nil, nil, Hello{}, err
	}
	h, in, err := l.exchange(ctx, nc, kind)
	if err != nil {
		nc.Close()
		return nil, nil, Hello{}, err
	}
	return nc, in, h, nil
}

func (l *Link) exchange(ctx context.Context, nc net.Conn, kind uint8) (Hello, *frames, error) {
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	if err := nc.SetDeadline(time.Now().Add(l.c.Patience)); err != nil {
		return Hello{}, nil, err
	}
	if _, err := nc.Write(appendOpening(nil, l.c.Self(), kind)); err != nil {
		return Hello{}, nil, err
	}
	in := newFrames(&patient{Conn: nc, quiet: l.c.Quiet, patience: l.c.Patience})
	if _, err := in.opening(); err != nil {
		return Hello{}, nil, err
	}
	h, _, err := in.greeting()
	if err != nil {
		return h, nil, err
	}
	return h, in, nc.SetDeadline(time.Time{})
}
