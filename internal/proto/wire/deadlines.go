package wire

import "time"

var (
	errTooSlow = violation("the bytes of a frame come too slowly")
	errHolds   = violation("no byte of a frame for %v, and others wait for its memory", holdTimeout)
)

// While somebody waits for memory, a large frame may pause no longer than holdTimeout
// and must come at slowestHolding bytes a second: a few hundred that only dribble would
// else keep everybody out.
const (
	holdTimeout    = 2 * time.Second
	slowestHolding = 64 * kib
)

// The connection's read deadline is a reminder, not a verdict: setting it costs more
// than a small request, so it is set seldom, early rather than late, and when it has
// passed the reader looks whether anything is really due.

// due is the earliest instant at which something has to be looked at.
func (rd *reader) due(now time.Time) time.Time {
	l := &rd.c.srv.limits
	d := rd.now.Add(l.MaxIdle)
	if len(rd.chunk.B) > smallChunk {
		d = earlier(d, now.Add(quiet))
	}
	if !rd.frameAt.IsZero() {
		d = earlier(d, now.Add(l.FrameTimeout))
	}
	if rd.holding {
		d = earlier(d, now.Add(holdTimeout))
	}
	if !rd.c.authenticated.Load() {
		d = earlier(d, rd.c.opened.Add(l.AuthTimeout))
	}
	return d
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// arm sets the deadline unless an earlier one is set already.
func (rd *reader) arm() error {
	d := rd.due(rd.now)
	if rd.now.Before(rd.looked) { // nothing has come since: remind has set it
		return nil
	}
	if !rd.deadline.IsZero() && !d.Before(rd.deadline) {
		return nil
	}
	rd.deadline = d
	return rd.c.nc.SetReadDeadline(d)
}

// remind acts at a deadline: it returns why the connection must end, or sets the
// next one.
func (rd *reader) remind(now time.Time) error {
	l := &rd.c.srv.limits
	c := rd.c
	switch {
	case !c.authenticated.Load() && now.Sub(c.opened) >= l.AuthTimeout:
		return violation("not authenticated after %v", l.AuthTimeout)
	case !rd.frameAt.IsZero() && now.Sub(rd.now) >= l.FrameTimeout:
		return violation("no byte of a frame for %v", l.FrameTimeout)
	case rd.holding && now.Sub(rd.now) >= holdTimeout && c.srv.Budget.contended():
		return errHolds
	case now.Sub(rd.now) >= l.MaxIdle && !c.busy.Load():
		return errIdle
	}
	next := rd.due(now)
	if !next.After(now) { // an answer is pending: look again after as long
		next = now.Add(l.MaxIdle)
	}
	rd.deadline, rd.looked = next, now
	return c.nc.SetReadDeadline(next)
}

// resume sets the clock of the client going again before a read: that nothing was
// read while the reader served or waited is not its fault.
func (rd *reader) resume() {
	now := time.Now()
	if !rd.frameAt.IsZero() {
		rd.frameAt = rd.frameAt.Add(now.Sub(rd.now))
		rd.windowAt = rd.windowAt.Add(now.Sub(rd.now))
	}
	rd.now = now
}

// tooSlow reports whether an unfinished frame of which n bytes have come drags on.
func (rd *reader) tooSlow(n int) bool {
	l := &rd.c.srv.limits
	took := rd.now.Sub(rd.frameAt)
	if rd.holding && rd.drags(n) && rd.c.srv.Budget.contended() {
		return true
	}
	if rd.frameAt.IsZero() || took <= l.FrameTimeout {
		return false
	}
	return float64(n) < slowestFrame*(took-l.FrameTimeout).Seconds()
}

// drags reports whether too little has come of a large frame in the last window, which
// is at least holdTimeout long.
func (rd *reader) drags(n int) bool {
	took := rd.now.Sub(rd.windowAt)
	if took < holdTimeout {
		return false
	}
	came := n - rd.windowN
	rd.windowAt, rd.windowN = rd.now, n
	return float64(came) < slowestHolding*took.Seconds()
}

// shrink goes back to a small chunk when none of the large one is in use. It reports
// whether it did.
func (rd *reader) shrink() bool {
	if rd.r != rd.w || len(rd.chunk.B) <= smallChunk || !rd.frameAt.IsZero() {
		return false
	}
	rd.r, rd.w = 0, 0
	rd.swap(smallChunk)
	return true
}
