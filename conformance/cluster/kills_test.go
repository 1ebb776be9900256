package cluster

import (
	"flag"
	"testing"
	"time"
)

var (
	kills = flag.Int("kills", 3, "how often a broker is killed")
	every = flag.Duration("every", 3*time.Second, "how long a broker is away, and then how long all are there; chance halves it or adds half")
)

// Brokers are killed one after the other, at moments that chance picks, under load, and
// started again. All the while everything that was told stays true: what was acknowledged
// is at its offset, once and in order, and so is what was read and committed.
func TestKills(t *testing.T) {
	r := newRig(t, Config{})
	r.startLoad(2 * time.Millisecond)
	r.progress(500)
	for i := range *kills {
		r.killOne()
		r.progress(50) // two of three go on
		if i%3 == 2 {
			r.check()
		}
	}
	r.settle()
	t.Logf("%d kills: %s", *kills, r.figures())
}

// killOne kills a broker, lets the others work without it, and brings it back.
func (r *rig) killOne() {
	r.t.Helper()
	victim := r.cluster.All[r.rng.IntN(len(r.cluster.All))]
	time.Sleep(r.moment()) // the moment, not a wait
	r.try(victim.Kill())
	r.chores()
	time.Sleep(r.moment())
	r.restart()
}

// moment is between half and one and a half of -every.
func (r *rig) moment() time.Duration {
	return *every/2 + time.Duration(r.rng.Int64N(int64(*every)))
}
