package wire

import (
	"context"
	"time"
)

// serve checks a frame and does the ordered part of its request. It runs on the
// reader.
func (c *Conn) serve(r *Request, frame []byte) (err error) {
	defer func() {
		if v := recover(); v != nil {
			r.Release()
			r.parked.release()
			err = c.panicked(v)
		}
	}()
	if err := c.waitMuted(); err != nil {
		r.Release()
		return err
	}
	if err := c.parse(r, frame); err != nil {
		r.Release()
		return err
	}
	if err := c.park(r); err != nil {
		r.Release()
		return err
	}
	p := c.srv.Handler.Serve(c, r)
	if c.srv.Observer != nil {
		r.served = time.Now()
	}
	switch {
	case p == nil && r.ready == nil:
		c.done(r, 0, nil)
		return c.ctx.Err()
	case p == nil && !c.busy.Load():
		return c.answer(r, r.ready, nil)
	}
	return c.enqueue(entry{r, p})
}

// parse reads the header and lets in what may be asked here and now.
func (c *Conn) parse(r *Request, frame []byte) (err error) {
	if r.Header, r.Body, err = parseHeader(frame, c.lastClientID); err != nil {
		return violation("%w", err)
	}
	c.lastClientID = r.ClientID
	if !c.authenticated.Load() && r.Key != keyAPIVersions && r.Key != keySaslHandshake && r.Key != keySaslAuthenticate {
		return violation("request key %d before authentication", r.Key)
	}
	if !c.srv.supported(r.Key, r.Version) {
		if r.Key == keyAPIVersions {
			r.Body = nil
			return nil
		}
		return violation("%w: key %d version %d", ErrUnsupported, r.Key, r.Version)
	}
	if r.cost, err = measure(r.Key, r.Version, r.Body); err != nil {
		return violation("%w", err)
	}
	return nil
}

// park admits what a request takes once it is decoded, until it was answered. A frame's
// own bytes are given back long before that, and requests that wait behind one that
// takes its time would else add up without bound. What is small is bounded by MaxPending.
func (c *Conn) park(r *Request) error {
	if r.cost <= smallRequest || c.srv.waiting.try(&r.parked, r.cost) {
		return nil
	}
	if err := c.flushIfIdle(); err != nil {
		return err
	}
	return c.srv.waiting.admit(c.ctx, &r.parked, r.cost)
}

const smallRequest = 4 * kib

// waitMuted sleeps while the connection is muted.
func (c *Conn) waitMuted() error {
	until := c.muted.Load()
	if until == 0 {
		return nil
	}
	if err := c.flushIfIdle(); err != nil {
		return err
	}
	if d := time.Until(time.Unix(0, until)); d > 0 {
		if err := sleep(c.ctx, d); err != nil {
			return err
		}
	}
	c.muted.CompareAndSwap(until, 0)
	return nil
}

// admit takes n bytes of the budget for a frame. Before it waits it flushes: the client
// may need its answers to go on. A small frame, which is here already, need not wait for
// large ones that may be long in coming: there is a reserve for it.
func (c *Conn) admit(h *hold, n int, small bool) error {
	if c.srv.Budget.try(h, n) || small && c.srv.reserve.try(h, n) {
		return nil
	}
	if err := c.flushIfIdle(); err != nil {
		return err
	}
	return c.srv.Budget.admit(c.ctx, h, n)
}

// Flush sends what has been answered so far. A handler that is to wait on the reader calls
// it first: the client may need those answers to go on.
func (c *Conn) Flush() error { return c.flushIfIdle() }

// flushIfIdle flushes what the reader has written, unless it is the finisher's, and begins
// the finisher. It comes before the reader waits for anything.
func (c *Conn) flushIfIdle() error {
	c.launch()
	if c.busy.Load() {
		return nil
	}
	return c.out.flush()
}

// launch begins the finisher if one was held back. The reader first does the ordered part of all
// that it has: what those who wait have to do is then done for all at once.
func (c *Conn) launch() {
	if c.held {
		c.held = false
		go c.finish()
	}
}

// enqueue leaves a request to the finisher, after all that came before it. It waits
// while MaxPending do.
func (c *Conn) enqueue(e entry) error {
	for {
		c.mu.Lock()
		if len(c.queue) < c.srv.limits.MaxPending {
			c.queue = append(c.queue, e)
			c.held = !c.busy.Swap(true) || c.held
			c.mu.Unlock()
			return nil
		}
		c.mu.Unlock()
		c.launch()
		select {
		case <-c.room:
		case <-c.ctx.Done():
			// Its Pending must run all the same; the queue drains quickly now.
			<-c.room
		}
	}
}

// finish runs Pendings in order and writes their answers, until none is left. It is
// the body of the finisher goroutine. After the connection has ended it still runs
// what is queued, with a context that has ended, so that all can clean up.
func (c *Conn) finish() {
	for {
		e, ok := c.next()
		if !ok {
			return
		}
		if err := c.finishOne(e); err != nil {
			c.Close(err)
		}
	}
}

// next takes an entry off the queue. When it is empty, what was written is flushed
// and the output given back to the reader.
func (c *Conn) next() (entry, bool) {
	for {
		c.mu.Lock()
		if len(c.queue) > 0 {
			e := c.queue[0]
			c.queue[0] = entry{}
			c.queue = c.queue[1:]
			c.mu.Unlock()
			token(c.room)
			return e, true
		}
		if c.out.empty() {
			c.queue = nil
			c.busy.Store(false)
			c.mu.Unlock()
			token(c.finished)
			return entry{}, false
		}
		c.mu.Unlock()
		if err := c.out.flush(); err != nil {
			c.Close(err)
		}
	}
}

func token(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (c *Conn) finishOne(e entry) (err error) {
	r := e.r
	defer func() {
		if v := recover(); v != nil {
			r.Release()
			r.parked.release()
			err = c.panicked(v)
		}
	}()
	if e.p == nil {
		return c.answer(r, r.ready, nil)
	}
	if !c.out.empty() && (r.WillWait == nil || r.WillWait()) {
		if err := c.out.flush(); err != nil {
			c.Close(err) // the Pending still runs, to clean up
		}
	}
	reply, err := c.await(e.p)
	return c.answer(r, reply, err)
}

// await runs a Pending.
func (c *Conn) await(p Pending) (reply Reply, err error) {
	defer func() {
		if v := recover(); v != nil {
			reply, err = nil, c.panicked(v)
		}
	}()
	return p(c.ctx)
}

// answer writes the reply of r, which has ended with err, and lets go of r.
func (c *Conn) answer(r *Request, reply Reply, err error) error {
	if c.srv.Observer != nil {
		r.finished = time.Now()
	}
	n := 0
	if reply != nil {
		if err == nil {
			err = context.Cause(c.ctx)
		}
		if err == nil {
			n, err = c.out.reply(r, reply)
		}
		reply.done()
	}
	if err == nil && r.throttle > 0 {
		c.mute(r.throttle)
	}
	c.done(r, n, err)
	return err
}

// done lets go of a request and tells the observer.
func (c *Conn) done(r *Request, n int, err error) {
	r.Release()
	r.parked.release()
	if c.srv.Observer == nil {
		return
	}
	if r.finished.IsZero() {
		r.finished = r.served
	}
	c.srv.Observer.RequestDone(c, Done{
		Key: r.Key, Version: r.Version, ClientID: r.ClientID, BytesIn: r.size, BytesOut: n,
		Serve: r.served.Sub(r.Received), Wait: r.finished.Sub(r.served), Write: time.Since(r.finished),
		Throttle: r.throttle, Err: err,
	})
}
