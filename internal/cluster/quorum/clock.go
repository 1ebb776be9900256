package quorum

import "time"

// graceTicks is how many ticks a node that was late gives the others to be heard again.
const graceTicks = 3

// clock ticks for Raft, and tells the silence of a leader from a node's own sleep.
//
// A node that is stopped, or gets no processor, hears nothing while its time passes. Ticks
// that it sleeps through never come again, and the first ones after a late one do not
// count. That must not keep a node from voting for ever on a machine where all ticks are
// late: what is forgiven has a limit, until a leader is heard.
type clock struct {
	tick    time.Duration
	timer   *time.Timer
	running bool
	last    time.Time
	ticks   int
	grace   int // ticks that will not count
	spent   int // ticks that did not count since a leader was heard
	limit   int // of spent
}

func newClock(c Config) clock {
	return clock{
		tick: c.Tick, limit: c.ElectionTicks, timer: time.NewTimer(c.Tick + c.Phase), running: true,
		last: time.Now().Add(c.Phase),
	}
}

// C is where ticks come from, nil while the clock stands.
func (c *clock) C() <-chan time.Time {
	if !c.running {
		return nil
	}
	return c.timer.C
}

func (c *clock) run(on bool) {
	switch {
	case on && !c.running:
		c.timer.Reset(c.tick)
		c.last = time.Now()
	case !on && c.running:
		c.timer.Stop()
	}
	c.running = on
}

func (c *clock) stop() { c.timer.Stop() }

// ticked begins the next tick, and reports whether this one counts against a leader that
// is silent.
func (c *clock) ticked(now time.Time) bool {
	if now.Sub(c.last) >= 2*c.tick {
		c.grace = graceTicks
	}
	c.last = now
	c.ticks++
	c.timer.Reset(c.tick)
	if c.grace == 0 {
		return true
	}
	c.grace--
	if c.spent >= c.limit {
		return true
	}
	c.spent++
	return false
}

// heard notes that a leader lives.
func (c *clock) heard() { c.spent = 0 }
