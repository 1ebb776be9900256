package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// story tells liveness what happens, and looks whenever it asked to be asked.
type story struct {
	t    *testing.T
	l    *liveness
	now  time.Time
	next time.Time
	said []string // what came of it, with the milliseconds since the beginning
	zero time.Time
}

const (
	testSession = 3 * time.Second
	testOverdue = 375 * time.Millisecond
)

func newStory(t *testing.T, brokers ...seen) *story {
	zero := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	s := &story{t: t, l: newLiveness(testSession, testOverdue), now: zero, zero: zero}
	s.l.follow(brokers, zero)
	s.l.lead(zero)
	s.look()
	return s
}

func (s *story) look() {
	o := s.l.look(s.now)
	for _, id := range o.fence {
		s.said = append(s.said, fmt.Sprintf("%d fence %d", s.millis(), id))
		s.l.pulses[id].fenced = true
	}
	for _, id := range o.probe {
		s.said = append(s.said, fmt.Sprintf("%d probe %d", s.millis(), id))
	}
	if !o.again.After(s.now) {
		s.t.Fatalf("at %d: look again at once", s.millis())
	}
	s.next = o.again
}

func (s *story) millis() int64 { return s.now.Sub(s.zero).Milliseconds() }

// pass lets time pass, with looks when they are due.
func (s *story) pass(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = earlier(s.next, end)
		if s.now.Equal(s.next) {
			s.look()
		}
	}
}

// sleep lets time pass without a look, as when this process is stopped, and then looks.
func (s *story) sleep(d time.Duration) {
	s.now = s.now.Add(d)
	s.look()
}

func (s *story) beats(id int32, every time.Duration, n int) {
	for range n {
		s.l.heartbeat(id, 1, s.now)
		s.pass(every)
	}
}

func (s *story) probed(id int32, v verdict) {
	s.l.probed(id, 1, s.now, v)
	s.look()
}

func (s *story) expect(want ...string) {
	s.t.Helper()
	if !slices.Equal(s.said, want) {
		s.t.Errorf("happened: %q\nexpected: %q", s.said, want)
	}
	s.said = nil
}

var one = seen{id: 1, epoch: 1}

func TestLiveness(t *testing.T) {
	cases := map[string]func(s *story){
		"who speaks is left alone": func(s *story) {
			s.expect("0 probe 1") // the endpoint is got to know
			s.probed(1, accepted)
			s.beats(1, 250*time.Millisecond, 40)
			s.expect()
		},
		"silence is probed, and fenced after a session": func(s *story) {
			s.probed(1, accepted)
			s.l.heartbeat(1, 1, s.now)
			s.said = nil
			s.pass(400 * time.Millisecond)
			s.expect("375 probe 1")
			s.probed(1, unanswered)
			s.pass(500 * time.Millisecond)
			s.expect("750 probe 1")
			s.pass(3 * time.Second) // the probe hangs
			s.expect("3000 fence 1")
		},
		"a lost line is probed at once, and a refusal is death": func(s *story) {
			s.probed(1, accepted)
			s.beats(1, 250*time.Millisecond, 4)
			s.said = nil
			s.pass(10 * time.Millisecond)
			s.l.lineLost(1)
			s.look()
			s.expect("1010 probe 1")
			s.probed(1, refused)
			s.expect("1010 fence 1")
		},
		"a lost line that comes back is no death": func(s *story) {
			s.probed(1, accepted)
			s.beats(1, 250*time.Millisecond, 4)
			s.said = nil
			s.l.lineLost(1)
			s.look()
			s.expect("1000 probe 1")
			s.probed(1, accepted)
			s.beats(1, 250*time.Millisecond, 4)
			s.expect()
		},
		"a refusal that is older than a heartbeat does not count": func(s *story) {
			s.probed(1, accepted)
			s.beats(1, 250*time.Millisecond, 4)
			s.l.lineLost(1)
			s.look()
			began := s.now
			s.pass(20 * time.Millisecond)
			s.l.heartbeat(1, 1, s.now)
			s.said = nil
			s.l.probed(1, 1, began, refused)
			s.look()
			s.expect()
		},
		"an address that was never reached proves nothing": func(s *story) {
			s.probed(1, refused)
			s.beats(1, 250*time.Millisecond, 4)
			s.said = nil
			s.l.lineLost(1)
			s.look()
			s.expect("1000 probe 1")
			s.probed(1, refused)
			s.beats(1, 250*time.Millisecond, 4)
			for _, what := range s.said {
				if what[len(what)-7:] == "fence 1" {
					s.t.Error(what)
				}
			}
		},
		"a new registration has to be got to know": func(s *story) {
			s.probed(1, accepted)
			s.l.follow([]seen{{id: 1, epoch: 2}}, s.now)
			s.said = nil
			s.look()
			s.expect("0 probe 1")
			s.l.probed(1, 1, s.now, refused) // that of before
			s.look()
			s.expect()
		},
		"own sleep is nobody's silence": func(s *story) {
			s.probed(1, accepted)
			s.beats(1, 250*time.Millisecond, 4)
			s.l.heartbeat(1, 1, s.now)
			s.pass(100 * time.Millisecond)
			s.said = nil
			s.sleep(20 * time.Second)
			s.expect()
			s.pass(100 * time.Millisecond) // its heartbeats of that time are read now
			s.l.heartbeat(1, 1, s.now)
			s.pass(200 * time.Millisecond)
			s.expect()
		},
		"many short delays are no silence either": func(s *story) {
			s.probed(1, accepted)
			s.l.heartbeat(1, 1, s.now)
			for range 11 { // nearly two sessions, half of it late
				s.now = s.next.Add(s.next.Sub(s.now))
				s.look()
			}
			s.said = slices.DeleteFunc(s.said, func(what string) bool { return what[len(what)-7:] == "probe 1" })
			s.expect()
		},
		"a new controller gives everybody a session, and probes at once": func(s *story) {
			s.probed(1, accepted)
			s.beats(1, 250*time.Millisecond, 4)
			s.l.resign()
			s.pass(10 * time.Second)
			s.said = nil
			s.l.lead(s.now)
			s.look()
			s.expect("11000 probe 1")
			s.probed(1, unanswered)
			s.l.pulses[1].probed = s.now.Add(time.Hour) // no more of that
			s.pass(2900 * time.Millisecond)
			s.expect()
			s.pass(100 * time.Millisecond)
			s.expect("14000 fence 1")
		},
		"a new controller fences the dead at once": func(s *story) {
			s.probed(1, accepted)
			s.l.resign()
			s.pass(time.Second)
			s.said = nil
			s.l.lineLost(1)
			s.l.lead(s.now)
			s.look()
			s.probed(1, refused)
			s.expect("1000 probe 1", "1000 fence 1")
		},
		"who does not lead fences nobody, but gets to know endpoints": func(s *story) {
			s.l.resign()
			s.l.follow([]seen{one, {id: 2, epoch: 1}, {id: 3, epoch: 1, fenced: true}}, s.now)
			s.said = nil
			s.look()
			s.expect("0 probe 2")
			s.probed(2, accepted)
			s.pass(20 * time.Second)
			s.expect()
		},
		"who is fenced or gone is left alone": func(s *story) {
			s.probed(1, accepted)
			s.said = nil
			s.l.follow([]seen{{id: 1, epoch: 1, fenced: true}}, s.now)
			s.pass(10 * time.Second)
			s.l.follow(nil, s.now)
			s.pass(10 * time.Second)
			s.expect()
		},
	}
	for name, tell := range cases {
		t.Run(name, func(t *testing.T) { tell(newStory(t, one)) })
	}
}

// Whatever the delays of this node, a broker that speaks in time is never fenced; one
// that does not is, within a session of looks that were in time.
func TestLivenessNeverFencesTheLiving(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 4))
		s := newStory(t, one, seen{id: 2, epoch: 1})
		s.l.probed(1, 1, s.now, accepted)
		s.l.probed(2, 1, s.now, accepted)
		// Heartbeats of broker 1 arrive every 250 ms but are read only when this node runs.
		unread, silent := s.now, time.Duration(0)
		for range 400 {
			late := time.Duration(0)
			if rng.IntN(3) == 0 {
				late = time.Duration(rng.Int64N(int64(5 * time.Second)))
			}
			before := s.now
			s.now = s.next.Add(late)
			silent += s.next.Sub(before)
			if rng.IntN(2) == 0 { // the look comes first, the heartbeats after it
				s.look()
			}
			for !unread.After(s.now) {
				unread = unread.Add(250 * time.Millisecond)
				s.l.heartbeat(1, 1, s.now)
			}
			s.look()
			s.l.probed(1, 1, s.now, accepted)
			s.l.probed(2, 1, s.now, unanswered)
		}
		for _, what := range s.said {
			if what[len(what)-7:] == "fence 1" {
				t.Fatalf("seed %d: %s although it spoke", seed, what)
			}
		}
		if silent > 2*testSession && !s.l.pulses[2].fenced {
			t.Fatalf("seed %d: broker 2 was silent for %v and is not fenced", seed, silent)
		}
	}
}
