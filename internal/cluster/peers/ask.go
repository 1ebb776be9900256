package peers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/proto/link"
	"github.com/odradek/odradek/internal/proto/wire"
)

// Ask has the active controller decide a request of this node's own. It waits while there
// is no controller, and when it returns, this node's metadata stands where the
// controller's stood when it answered. Errors that the answer has are the caller's. It
// returns kerr.RequestTimedOut if ctx ended first.
func (p *Peers) Ask(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	for version := req.MaxVersion(); ; version-- {
		req.SetVersion(version)
		body, err := p.Forward(ctx, Envelope{Key: req.Key(), Version: version, Body: req.AppendTo(nil)})
		if errors.Is(err, kerr.UnsupportedVersion) && version > 0 {
			continue // the controller is of an older release
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kmsg.NameForKey(req.Key()), err)
		}
		resp := req.ResponseKind()
		if err = wire.CheckAnswer(req.Key(), version, body); err == nil {
			err = resp.ReadFrom(body)
		}
		if err != nil {
			return nil, fmt.Errorf("answer to %s v%d: %w", kmsg.NameForKey(req.Key()), version, err)
		}
		return resp, nil
	}
}

// Forward has the active controller decide a request, and returns the body of its answer.
// What is true of Ask is true of it. If the controller was lost after it had got the
// request, the request is repeated only if that does no harm; else the error matches
// kerr.RequestTimedOut: nobody knows whether it was done.
func (p *Peers) Forward(ctx context.Context, e Envelope) (body []byte, err error) {
	var offset int64
	again := harmless[e.Key]
	err = p.toLeader(ctx, again, func(ctx context.Context, node int32) (bool, leader, error) {
		answer, err := p.decideAt(ctx, node, e)
		if err != nil {
			return false, leader{}, err
		}
		rest, elsewhere, err := open(answer)
		if err != nil || rest == nil {
			return false, elsewhere, err
		}
		r := link.Fields{B: rest}
		offset, body = r.Varint(), nil
		if err := sane(&r); err != nil {
			return false, leader{}, err
		}
		body = r.B
		if again && undecided(e, body) {
			return false, leader{node: -1}, nil
		}
		return true, leader{}, nil
	})
	if err != nil {
		return nil, err
	}
	// The decision stands, whether this node sees it in time or not.
	_ = p.c.Feed.WaitOffset(ctx, offset)
	return body, nil
}

func (p *Peers) decideAt(ctx context.Context, node int32, e Envelope) ([]byte, error) {
	if node == p.c.Node {
		return p.decide(ctx, e)
	}
	return p.link.Call(ctx, node, kindDecide, e.append(nil))
}

// serveDecide answers an envelope.
func (p *Peers) serveDecide(ctx context.Context, payload []byte) ([]byte, error) {
	e, err := parseEnvelope(payload)
	if err != nil {
		return nil, err
	}
	return p.decide(ctx, e)
}

// decide decides, if this node is the active controller: saysDone, varint the offset at
// which the metadata stands, the body of the answer.
func (p *Peers) decide(ctx context.Context, e Envelope) ([]byte, error) {
	answer := p.answer.Load()
	if answer == nil || !p.decides() {
		l := p.leads()
		if l.node == p.c.Node {
			l.node = -1 // not yet, or not any more
		}
		return other(l), nil
	}
	body, err := (*answer)(ctx, e)
	if err != nil {
		return nil, err
	}
	return append(binary.AppendVarint([]byte{saysDone}, p.c.Feed.Image().Offset), body...), nil
}

func (p *Peers) decides() bool {
	if p.c.Quorum == nil || p.c.Quorum.Status().Leader != p.c.Node {
		return false
	}
	return p.c.Leading == nil || p.c.Leading()
}

// errNoLeader is why toLeader has not begun.
var errNoLeader = errors.New("no node leads the quorum")

// toLeader tries try on the node that leads until it is done, has failed or ctx ends. try
// says that nothing was done by false and who leads instead, as far as that is known. A
// line that is lost ends it unless again says that to try twice does no harm.
func (p *Peers) toLeader(ctx context.Context, again bool, try func(context.Context, int32) (bool, leader, error)) error {
	last, next := errNoLeader, 0
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		node := p.leads().node
		if node < 0 && !p.votes() {
			node, next = p.anyone(next)
		}
		if node >= 0 {
			trying, stop := p.whileLeads(ctx, node)
			done, elsewhere, err := try(trying, node)
			stop()
			switch {
			case done:
				return nil
			case ctx.Err() != nil:
				return p.late(ctx, err, true)
			case err == nil:
				p.forget(node)
				if elsewhere.node >= 0 && elsewhere.node != node {
					p.learn(elsewhere.node, elsewhere.term)
					pause = firstPause
				}
				last = fmt.Errorf("node %d does not lead: %w", node, kerr.NotController)
			case errors.Is(err, link.ErrDown), again && isLost(err), again && errors.Is(err, kerr.NotController):
				p.forget(node)
				last = err
			case isLost(err):
				p.forget(node)
				return fmt.Errorf("the controller was lost before it answered, and may have done it: %w: %w", kerr.RequestTimedOut, err)
			default:
				return err
			}
		}
		if p.awaitOther(ctx, node, pause) != nil {
			return p.late(ctx, last, false)
		}
	}
}

// awaitOther waits until a node other than the one given is known to lead, at most for a
// pause. It returns why ctx has ended, if it has.
func (p *Peers) awaitOther(ctx context.Context, node int32, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		p.mu.Lock()
		moved := p.moved
		p.mu.Unlock()
		if is := p.leads().node; is >= 0 && is != node {
			return nil
		}
		select {
		case <-moved:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// errDeposed ends the wait for the answer of a node when another has led for a while.
var errDeposed = errors.New("another node leads now")

// isLost reports whether a request may have been done, and nobody will ever say.
func isLost(err error) bool { return errors.Is(err, link.ErrLost) || errors.Is(err, errDeposed) }

// whileLeads ends a while after it is known that another node leads: one that was cut off,
// or is stopped, does not answer, and its line may last for long. One that has handed over
// still answers what it was asked.
func (p *Peers) whileLeads(ctx context.Context, node int32) (context.Context, func()) {
	if node == p.c.Node {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var mu sync.Mutex // guards what follows
	var timer *time.Timer
	late, over := 0, false
	look := func() {
		mu.Lock()
		defer mu.Unlock()
		if late++; p.leads().node == node || p.leads().node < 0 {
			late = 0
		}
		if late > deposedFor {
			cancel(errDeposed)
		} else if !over {
			timer.Reset(lookEvery)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(lookEvery, look)
	return ctx, func() {
		cancel(nil)
		mu.Lock()
		defer mu.Unlock()
		over = true
		timer.Stop()
	}
}

// A node that leads no more has half a second to answer.
const (
	lookEvery  = 100 * time.Millisecond
	deposedFor = 5
)

const (
	firstPause = time.Millisecond
	lastPause  = 50 * time.Millisecond
)

// votes reports whether this node's quorum knows best who leads.
func (p *Peers) votes() bool { return p.c.Quorum != nil && p.c.Quorum.Status().Votes(p.c.Node) }

// late words the end of ctx: a node that stops says so, everything else took too long.
func (p *Peers) late(ctx context.Context, last error, sent bool) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.Cause(ctx)
	}
	if sent {
		return fmt.Errorf("the controller did not answer in time: %w", kerr.RequestTimedOut)
	}
	return fmt.Errorf("no controller was reached in time (%v): %w", last, kerr.RequestTimedOut)
}
