package link

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
)

// peer is a node that this one dials.
//
// While a line is up or the first attempt to make one is under way, what is sent waits
// for it. When an attempt has failed, nothing waits: messages are dropped and calls fail
// at once, until a line is up again.
type peer struct {
	l     *Link
	node  int32
	stop  context.CancelFunc // of the goroutine that dials; nil before it runs
	out   *outbox
	slots chan struct{} // a token for each call under way

	mu        sync.Mutex // guards all below; taken before the outbox's
	addresses []string   // at least one; not changed, but replaced
	place     int        // of the one that is dialed, or is up
	up        bool
	down      error // why there is no line, nil while there is hope
	line      *line
	calls     map[uint64]*call
	nextID    uint64
}

type call struct {
	done    chan struct{} // closed when the rest is set
	payload []byte
	err     error
}

func newPeer(l *Link, node int32, addresses []string) *peer {
	return &peer{
		l: l, node: node, addresses: addresses, out: newOutbox(),
		slots: make(chan struct{}, mostCalls), calls: map[uint64]*call{},
	}
}

// at is the address that is dialed, or is up.
func (p *peer) at() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addresses[p.place]
}

// move takes over the addresses of the node, and reports whether the present one is among
// them.
func (p *peer) move(addresses []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(addresses, p.addresses[p.place])
	if i >= 0 {
		p.addresses, p.place = addresses, i
	}
	return i >= 0
}

// turn goes on to the node's next address, if it has several.
func (p *peer) turn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.place = (p.place + 1) % len(p.addresses)
}

func (p *peer) send(kind uint8, payload []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down == nil && p.out.message(kind, payload, p.l.c.MaxQueue)
}

func (p *peer) call(ctx context.Context, kind uint8, payload []byte) ([]byte, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("node %d: %w: %w", p.node, ErrDown, context.Cause(ctx))
	}
	p.mu.Lock()
	if p.down != nil {
		defer p.mu.Unlock()
		return nil, fmt.Errorf("node %d: %w: %w", p.node, ErrDown, p.down)
	}
	id := p.nextID
	p.nextID++
	c := &call{done: make(chan struct{})}
	p.calls[id] = c
	p.out.call(kind, id, payload)
	p.mu.Unlock()
	select {
	case <-c.done:
		return c.payload, c.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls[id] != c { // it came at the last moment
		return c.payload, c.err
	}
	delete(p.calls, id)
	if !p.out.cancel(id) {
		return nil, fmt.Errorf("node %d: %w: %w", p.node, ErrDown, context.Cause(ctx))
	}
	return nil, context.Cause(ctx)
}

// answered ends a call. Nobody may wait for it any more.
func (p *peer) answered(id uint64, payload []byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(id, payload, err)
}

func (p *peer) settle(id uint64, payload []byte, err error) {
	if c, ok := p.calls[id]; ok {
		delete(p.calls, id)
		c.payload, c.err = payload, err
		close(c.done)
	}
}

// run keeps a line to the node for as long as ctx lives.
func (p *peer) run(ctx context.Context) error {
	var was model.ID // the incarnation that was up, zero once its death was told
	attempt := 0
	for {
		n, err := p.connect(ctx)
		if err == nil {
			began := time.Now()
			h := *n.remote.Load()
			if !was.IsZero() && was != h.Incarnation {
				p.l.c.Gone(p.node)
			}
			was = h.Incarnation
			p.raise(n)
			err = n.run(ctx)
			p.lose(err)
			if time.Since(began) > time.Second {
				attempt = 0
			}
			if attempt == 0 && ctx.Err() == nil {
				attempt = 1
				p.l.c.Log.Info("link: a line has ended", "node", p.node, "address", p.at(), "error", err)
				p.told(err)
				continue
			}
		}
		if ctx.Err() != nil {
			p.fail(context.Cause(ctx))
			return context.Cause(ctx)
		}
		if !was.IsZero() && connectionRefused(err) {
			was = model.ID{}
			p.l.c.Gone(p.node)
		}
		p.fail(err)
		p.told(err)
		p.turn()
		if err := sleep(ctx, p.backoff(attempt)); err != nil {
			p.fail(err)
			return err
		}
		attempt++
	}
}

// told passes a refusal on.
func (p *peer) told(err error) {
	if refused, ok := errors.AsType[*refusal](err); ok {
		p.l.c.Refused(p.node, refused.err)
	}
}

const mostBackoff = 500 * time.Millisecond

// backoff grows from 25 to 500 ms. Of that, the last quarter depends on the two nodes and
// the attempt, so that many nodes that lose one do not dial it in step.
func (p *peer) backoff(attempt int) time.Duration {
	d := mostBackoff
	if attempt < 5 {
		d = 25 * time.Millisecond << attempt
	}
	d = min(d, mostBackoff)
	x := uint64(p.l.node)<<40 ^ uint64(p.node)<<16 ^ uint64(attempt) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return d*3/4 + time.Duration((x^x>>31)%uint64(d/4))
}

func (p *peer) raise(n *line) {
	p.mu.Lock()
	p.up, p.down, p.line = true, nil, n
	p.mu.Unlock()
	p.l.c.Log.Info("link: a line is up", "node", p.node, "address", p.at())
}

// lose ends the calls that the other side may have got. What was not sent waits for the
// next attempt.
func (p *peer) lose(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.line = false, nil
	waiting, failed := p.out.renew()
	for id := range p.calls {
		switch {
		case waiting[id]:
		case failed[id]:
			p.settle(id, nil, fmt.Errorf("node %d: %w: %w", p.node, ErrDown, why))
		default:
			p.settle(id, nil, fmt.Errorf("node %d: %w: %w", p.node, ErrLost, why))
		}
	}
}

// fail ends what waits for a line.
func (p *peer) fail(why error) {
	p.mu.Lock()
	first := p.down == nil
	p.down = why
	p.out.clear()
	for id := range p.calls {
		p.settle(id, nil, fmt.Errorf("node %d: %w: %w", p.node, ErrDown, why))
	}
	p.mu.Unlock()
	if first {
		p.l.c.Log.Warn("link: no line to a node", "node", p.node, "address", p.at(), "error", why)
	}
}

// connect dials and exchanges hellos.
func (p *peer) connect(ctx context.Context) (*line, error) {
	address := p.at()
	nc, in, h, err := p.l.meet(ctx, address, 0)
	if err != nil {
		return nil, err
	}
	switch {
	case h.Node != p.node:
		err = fmt.Errorf("%s is the address of node %d, not of node %d: check controller.quorum.voters", address, h.Node, p.node)
	default:
		err = p.l.c.Check(h)
	}
	if err != nil {
		p.l.turnAway(nc, appendRefusal(nil, err))
		return nil, err
	}
	return p.l.newLine(nc, in, h, p), nil
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
