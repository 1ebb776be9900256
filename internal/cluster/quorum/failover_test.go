package quorum

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/base/vfs"
)

// seeds is how often a story is told, each time with other delays and jitter.
func seeds(short, long int) int {
	if testing.Short() {
		return short
	}
	return long
}

// failover kills the leader, and returns how long nobody led.
func (w *world) failover() time.Duration {
	id, q := w.leader(5 * time.Second)
	term := q.term.Load()
	w.agree(fmt.Sprint("before ", term), time.Second)
	at := time.Now()
	w.kill(id)
	for {
		if _, q := w.leads(); q != nil && q.term.Load() > term {
			break
		}
		if time.Since(at) > 10*time.Second {
			w.dump()
			w.t.Fatal("nobody leads")
		}
		time.Sleep(time.Millisecond)
	}
	took := w.ledAt.Sub(at)
	w.agree(fmt.Sprint("after ", term), time.Second)
	w.start(id)
	w.settle(3 * time.Second)
	return took
}

// A leader that is known to be dead is replaced in a blink; one that falls silent, in
// little more than a second.
func TestFailover(t *testing.T) {
	for _, c := range []struct {
		notice bool
		n      int
		most   time.Duration
	}{{true, 3, 300 * time.Millisecond}, {true, 5, 300 * time.Millisecond}, {false, 3, 1500 * time.Millisecond}, {false, 5, 1500 * time.Millisecond}} {
		var worst, sum time.Duration
		n := seeds(10, 60)
		for seed := range n {
			inWorld(t, uint64(seed), c.n, func(w *world) {
				w.notice = c.notice
				took := w.failover()
				worst, sum = max(worst, took), sum+took
				if took > c.most {
					t.Errorf("%d voters, notice %v, seed %d: it took %v", c.n, c.notice, seed, took)
				}
			})
		}
		t.Logf("%d voters, notice %v: mean %v, worst %v", c.n, c.notice, (sum / time.Duration(n)).Round(time.Millisecond), worst.Round(time.Millisecond))
	}
}

// A leader that is stopped for a while comes back as a follower, and what it proposed
// without a majority is applied nowhere.
func TestPausedLeader(t *testing.T) {
	for seed := range seeds(5, 30) {
		inWorld(t, uint64(seed), 3, func(w *world) {
			id, q := w.leader(5 * time.Second)
			w.agree("before", time.Second)
			term := q.term.Load()
			w.pause(id, true)
			wait := q.Begin(term, []byte("too late"))
			next := int32(0)
			for next == 0 {
				time.Sleep(time.Millisecond)
				if other, q := w.leads(); q != nil && other != id {
					next = other
				}
			}
			w.agree("between", time.Second)
			w.pause(id, false)
			ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Second)
			defer cancel()
			if _, err := wait(ctx); !errors.Is(err, kerr.NotController) {
				t.Errorf("what was proposed too late ended with %v", err)
			}
			w.agree("after", time.Second)
			w.settle(3 * time.Second)
			if leader, _ := w.leads(); leader != next {
				t.Errorf("node %d leads, after node %d has come back: %d did", leader, id, next)
			}
			for offset, e := range w.log {
				if e == "too late" {
					t.Errorf("it was applied at %d", offset)
				}
			}
		})
	}
}

// A leader that is cut off from the majority ceases to lead, soon, and lets go of who
// waits; it decides nothing. The majority goes on.
func TestMinority(t *testing.T) {
	for seed := range seeds(5, 30) {
		inWorld(t, uint64(seed), 5, func(w *world) {
			id, q := w.leader(5 * time.Second)
			w.agree("before", time.Second)
			with := id%5 + 1
			w.part(id, with)
			began := time.Now()
			wait := q.Begin(q.term.Load(), []byte("of the minority"))
			w.agree("of the majority", 3*time.Second)
			ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
			defer cancel()
			// The minority has it in its logs, so nothing may promise that it is not agreed on.
			if _, err := wait(ctx); !errors.Is(err, kerr.RequestTimedOut) || errors.Is(err, kerr.NotController) {
				t.Errorf("the minority's proposal ended with %v", err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it waited for %v", took)
			}
			time.Sleep(3 * time.Second)
			if q.term.Load() >= 0 || q.Status().Leader >= 0 || w.q(with).Status().Leader >= 0 {
				t.Errorf("the minority has a leader: %+v, %+v", q.Status(), w.q(with).Status())
			}
			before := q.Status().Term
			w.heal()
			w.agree("after", 3*time.Second)
			w.settle(3 * time.Second)
			if now := q.Status().Term; now > before+2 {
				t.Errorf("the minority has disturbed the majority: term %d, then %d", before, now)
			}
		})
	}
}

// A node that did not run for a while deposes nobody, be it one follower, all followers
// or the whole machine; nor does one that gets a processor only now and then.
func TestStarved(t *testing.T) {
	starve := map[string]func(w *world, leader int32) []int32{
		"a follower": func(_ *world, leader int32) []int32 { return []int32{leader%3 + 1} },
		"followers":  func(_ *world, leader int32) []int32 { return []int32{leader%3 + 1, (leader+1)%3 + 1} },
		"all":        func(w *world, _ int32) []int32 { return w.voters },
	}
	for name, who := range starve {
		for _, c := range []struct{ stop, run time.Duration }{
			{5 * time.Second, 300 * time.Millisecond}, {500 * time.Millisecond, 20 * time.Millisecond}, {150 * time.Millisecond, 5 * time.Millisecond},
		} {
			if name == "followers" && c.stop > 500*time.Millisecond {
				continue // a leader whom nobody answers must step down
			}
			for seed := range seeds(2, 8) {
				inWorld(t, uint64(seed), 3, func(w *world) {
					id, q := w.leader(5 * time.Second)
					term := q.term.Load()
					w.agree("before", time.Second)
					for range 20 {
						for _, n := range who(w, id) {
							w.pause(n, true)
						}
						time.Sleep(c.stop + time.Duration(w.roll(20))*time.Millisecond)
						for _, n := range who(w, id) {
							w.pause(n, false)
						}
						time.Sleep(c.run)
					}
					w.agree("after", time.Second)
					if now := q.term.Load(); now != term {
						t.Errorf("%s starved, %v after %v, seed %d: node %d led term %d, now %d; status %+v", name, c.run, c.stop, seed, id, term, now, q.Status())
					}
				})
			}
		}
	}
}

// A node that wakes late hears first what came in while it slept, and then lets the moment
// pass that may be one too many.
func TestLateTickComesLast(t *testing.T) {
	for seed := range seeds(10, 40) {
		inWorld(t, uint64(seed), 3, func(w *world) {
			id, _ := w.leader(5 * time.Second)
			w.agree("before", time.Second)
			sleeper := id%3 + 1
			w.isolate(sleeper, true)
			time.Sleep(620 * time.Millisecond) // six ticks, or seven
			w.pause(sleeper, true)
			w.heal()
			time.Sleep(time.Second)
			synctest.Wait()
			before := w.votes[sleeper]
			w.pause(sleeper, false)
			time.Sleep(50 * time.Millisecond)
			synctest.Wait()
			if n := w.votes[sleeper] - before; n > 0 {
				t.Errorf("seed %d: it woke and asked for %d votes", seed, n)
			}
			if s := w.q(sleeper).Status(); s.Leader != id {
				t.Errorf("seed %d: it has not heard: %+v", seed, s)
			}
		})
	}
}

// Disks that stall for a second or two, the leader's or all of them, change nothing but
// the time that an answer takes. One that never comes back is another matter.
func TestStalledDisk(t *testing.T) {
	stall := func(w *world, id int32, until time.Time) {
		w.host(id).fs.SetRule(func(op vfs.Op, _ string) error {
			if d := time.Until(until); op == vfs.OpSync && d > 0 {
				time.Sleep(d)
			}
			return nil
		})
	}
	for seed := range seeds(3, 15) {
		inWorld(t, uint64(seed), 3, func(w *world) {
			id, q := w.leader(5 * time.Second)
			term := q.term.Load()
			for _, who := range [][]int32{{id}, w.voters, {id%3 + 1}, {id%3 + 1, (id+1)%3 + 1}} {
				until := time.Now().Add(1800 * time.Millisecond)
				for _, n := range who {
					stall(w, n, until)
				}
				w.agree(fmt.Sprint("while ", who, " stall"), 3*time.Second)
				time.Sleep(time.Until(until) + time.Second)
			}
			if now := q.term.Load(); now != term {
				t.Errorf("seed %d: another term: %d, then %d", seed, term, now)
			}
			w.settle(3 * time.Second)
			stall(w, id, time.Now().Add(time.Minute))
			began := time.Now()
			q.Begin(term, []byte("stuck"))
			for {
				if other, _ := w.leads(); other != 0 && other != id {
					break
				}
				if time.Since(began) > 5*time.Second {
					w.dump()
					t.Fatal("a dead disk leads for ever")
				}
				time.Sleep(time.Millisecond)
			}
			w.agree("without it", time.Second)
			time.Sleep(time.Minute)
			w.settle(5 * time.Second)
		})
	}
}

// A leader that goes hands over, and its successor goes on at once.
func TestTransferLeadership(t *testing.T) {
	for seed := range seeds(5, 20) {
		inWorld(t, uint64(seed), 3, func(w *world) {
			id, q := w.leader(5 * time.Second)
			w.agree("before", time.Second)
			w.isolate(id%3+1, true) // one that cannot take over
			time.Sleep(2 * time.Second)
			if now, _ := w.leads(); now != id {
				t.Fatalf("node %d leads", now)
			}
			began := time.Now()
			ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Second)
			defer cancel()
			if err := q.TransferLeadership(ctx); err != nil {
				t.Fatal(err)
			}
			if s := q.Status(); s.Leader != (id+1)%3+1 {
				t.Errorf("node %d leads", s.Leader)
			}
			w.agree("after", time.Second)
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("it took %v", took)
			}
			w.heal()
			w.settle(3 * time.Second)
			next, other := w.leads()
			w.isolate(next, true)
			ctx, cancel = context.WithTimeout(w.t.Context(), 300*time.Millisecond)
			defer cancel()
			w.pause(next%3+1, true)
			if err := other.TransferLeadership(ctx); err == nil {
				t.Error("it handed over to somebody out of reach")
			}
			w.pause(next%3+1, false)
			w.heal()
			w.agree("at last", 3*time.Second)
		})
	}
}

// LeaderGone of a leader who lives deposes nobody.
func TestLeaderGoneByMistake(t *testing.T) {
	for seed := range seeds(5, 20) {
		inWorld(t, uint64(seed), 3, func(w *world) {
			id, q := w.leader(5 * time.Second)
			term := q.term.Load()
			w.agree("before", time.Second)
			for range 10 {
				w.q(id%3 + 1).LeaderGone(id)
				w.q(id).LeaderGone(id%3 + 1)
				time.Sleep(time.Duration(w.roll(300)) * time.Millisecond)
			}
			synctest.Wait()
			w.agree("after", time.Second)
			if now := q.term.Load(); now != term {
				t.Errorf("seed %d: term %d, then %d", seed, term, now)
			}
		})
	}
}

// Voters that wake at the same moment do not stand in each other's way.
func TestWakeTogether(t *testing.T) {
	var worst time.Duration
	for seed := range seeds(10, 60) {
		inWorld(t, uint64(seed), 3, func(w *world) {
			id, _ := w.leader(5 * time.Second)
			w.agree("before", time.Second)
			others := []int32{id%3 + 1, (id+1)%3 + 1}
			for _, n := range others {
				w.pause(n, true)
			}
			w.kill(id)
			time.Sleep(3 * time.Second)
			for _, n := range others {
				w.pause(n, false)
			}
			began := time.Now()
			w.agree("after", 3*time.Second)
			worst = max(worst, time.Since(began))
		})
	}
	t.Logf("worst %v", worst.Round(time.Millisecond))
	if worst > 1600*time.Millisecond {
		t.Errorf("it took %v", worst)
	}
}
