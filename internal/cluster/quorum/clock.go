package quorum

import "time"

// clock ticks for Raft. A node that is stopped, or gets no processor, hears nothing while
// its time passes: it must not hold that for the silence of the leader. So ticks that were
// slept through never come again: one comes late, and the next a whole tick after it.
type clock struct {
	tick    time.Duration
	rand    func() uint64
	timer   *time.Timer
	running bool
	ticks   int
}

func newClock(c Config) clock {
	return clock{tick: c.Tick, rand: c.Rand, timer: time.NewTimer(c.Tick + c.Phase), running: true}
}

// C is where ticks come from, nil while the clock stands. Each must be followed by next.
func (c *clock) C() <-chan time.Time {
	if !c.running {
		return nil
	}
	return c.timer.C
}

// next begins the next tick. No two are of one length: nodes that woke at the same moment,
// as those of one machine do, would else stand for election at the same moment, for ever.
func (c *clock) next() {
	c.ticks++
	c.timer.Reset(c.tick + time.Duration(c.rand()%uint64(c.tick/8)))
}

func (c *clock) run(on bool) {
	switch {
	case on && !c.running:
		c.timer.Reset(c.tick)
	case !on && c.running:
		c.timer.Stop()
	}
	c.running = on
}

func (c *clock) stop() { c.timer.Stop() }
