package fetcher

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// asked counts the partitions of a request.
func asked(req *kmsg.FetchRequest) (n int) {
	for _, t := range req.Topics {
		n += len(t.Partitions)
	}
	return n
}

// What a leader appends is here and durable moments later, and the leader is told so; what
// is not durable it is not told.
func TestFollow(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		p := r.follow(id('a', 0))
		p.delay = 7 * time.Millisecond
		for n := range int64(20) {
			r.leader.append(p.id, 10)
			if took := r.caught(p.id, 10*(n+1)); took > 12*time.Millisecond {
				t.Errorf("round %d took %v", n, took)
			}
			p.mu.Lock()
			if p.durable != 10*(n+1) {
				t.Errorf("durable up to %d", p.durable)
			}
			p.mu.Unlock()
		}
		r.stop()
	})
}

// A request names the partitions that have moved, not those that are followed; and a
// round waits for the disk once, not once a partition.
func TestRequestsNameWhatMoved(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		var all []*replica
		for n := range int32(1000) {
			all = append(all, r.follow(id('a'+byte(n%3), n)))
		}
		r.rest(time.Second)
		r.leader.mu.Lock()
		named := 0
		for _, req := range r.leader.requests {
			named += asked(req)
		}
		if named != 1000 {
			t.Errorf("%d partitions were named", named)
		}
		r.leader.requests = nil
		r.leader.mu.Unlock()
		r.rest(time.Minute)
		r.leader.mu.Lock()
		for _, req := range r.leader.requests {
			if asked(req) > 0 {
				t.Error("a partition is named that has not moved")
			}
		}
		if n := len(r.leader.requests); n > 130 {
			t.Errorf("%d requests in a minute", n)
		}
		r.leader.requests = nil
		r.leader.mu.Unlock()
		for _, n := range []int{3, 77, 500} {
			r.leader.append(all[n].id, 5)
			r.caught(all[n].id, 5)
		}
		r.leader.mu.Lock()
		for _, req := range r.leader.requests {
			if asked(req) > 1 {
				t.Errorf("%d partitions were named, one has moved", asked(req))
			}
		}
		r.leader.mu.Unlock()
		r.leader.change(func() {
			for _, p := range all {
				r.leader.logs[p.id].end += 1
			}
		})
		began := time.Now()
		for _, p := range all {
			r.caught(p.id, r.leader.logs[p.id].end)
		}
		// The disks of the replicas here wait one after the other, a millisecond each.
		if took := time.Since(began); took > 1100*time.Millisecond {
			t.Errorf("a round took %v", took)
		}
		r.stop()
	})
}

// A partition that comes while the leader waits for records is fetched at once, and many
// that come one by one do not cost a connection each.
func TestNewsDoesNotWait(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.follow(id('a', 0))
		r.rest(10 * time.Second)
		p := r.follow(id('a', 1))
		r.leader.append(p.id, 3)
		if took := r.caught(p.id, 3); took > 10*time.Millisecond {
			t.Errorf("a new partition is durable after %v", took)
		}
		before := r.leader.id
		for n := range int32(100) {
			r.rest(5 * time.Millisecond)
			r.follow(id('b', n))
		}
		r.rest(time.Second)
		if sessions := r.leader.id - before; sessions > 2 {
			t.Errorf("%d sessions for a hundred partitions", sessions)
		}
		if n := r.leader.size(); n != 102 {
			t.Errorf("the session has %d partitions", n)
		}
		for n := range int32(100) {
			r.fleet.Unfollow(id('b', n))
		}
		r.rest(time.Second)
		if n := r.leader.size(); n != 2 {
			t.Errorf("the session has %d partitions after the others have left", n)
		}
		r.stop()
	})
}

// Whatever a leader answers for one partition, the others go on, and the partition is
// followed again once its leader has come to its senses, or the epoch has.
func TestErrorsOfOnePartition(t *testing.T) {
	for _, c := range []struct {
		name   string
		spoil  func(l *leaderLog)
		mend   func(r *rig, p *replica, l *leaderLog)
		at     int64 // where the replica ends at first
		end    int64 // and in the end
		did    string
		within time.Duration // after it was mended
	}{
		{"not leader", func(l *leaderLog) { l.err = kerr.NotLeaderForPartition }, func(_ *rig, _ *replica, l *leaderLog) { l.err = nil }, 0, 100, "[]", 1100 * time.Millisecond},
		{"unknown topic", func(l *leaderLog) { l.err = kerr.UnknownTopicOrPartition }, func(_ *rig, _ *replica, l *leaderLog) { l.err = nil }, 0, 100, "[]", 1100 * time.Millisecond},
		{"storage", func(l *leaderLog) { l.err = kerr.KafkaStorageError }, func(_ *rig, _ *replica, l *leaderLog) { l.err = nil }, 0, 100, "[]", 1100 * time.Millisecond},
		{"the leader is behind", func(l *leaderLog) { l.epoch = 4 }, func(_ *rig, _ *replica, l *leaderLog) { l.epoch = 5 }, 0, 100, "[]", 1100 * time.Millisecond},
		{"the leader is ahead", func(l *leaderLog) { l.epoch = 6 }, func(r *rig, p *replica, _ *leaderLog) { p.lead(6); r.fleet.Follow(p, 1, 6) }, 0, 100, "[]", 10 * time.Millisecond},
		{"in the range and refused", func(l *leaderLog) { l.err = kerr.OffsetOutOfRange }, func(_ *rig, _ *replica, l *leaderLog) { l.err = nil }, 40, 100, "[]", 1100 * time.Millisecond},
		{"below the start", func(l *leaderLog) { l.start = 60 }, nil, 40, 100, "[restart]", time.Minute},
		{"above the end", func(l *leaderLog) { l.end = 60 }, nil, 80, 60, "[truncate]", time.Minute},
		{"another history", func(l *leaderLog) { l.diverging = &partition.EpochEnd{Epoch: 3, End: 30} }, nil, 40, 100, "[truncate]", time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r := newRig(t)
				other := r.follow(id('b', 0))
				log := &leaderLog{epoch: 5, end: 100, sent: -1}
				c.spoil(log)
				r.leader.change(func() { r.leader.logs[id('a', 0)] = log })
				p := &replica{t: t, id: id('a', 0), epoch: 5, end: c.at, durable: c.at}
				r.fleet.Follow(p, 1, 5)
				for n := range int64(1000) {
					r.leader.append(other.id, 1)
					if took := r.caught(other.id, n+1); took > 5*time.Millisecond {
						t.Fatalf("another partition took %v", took)
					}
				}
				if log.asked > 20 {
					t.Errorf("asked %d times in vain", log.asked)
				}
				if c.mend != nil {
					if r.leader.told(p.id) == c.end {
						t.Error("followed before it was mended")
					}
					r.leader.change(func() { c.mend(r, p, log) })
				}
				if took := r.caught(p.id, c.end); took > c.within {
					t.Errorf("followed after %v", took)
				}
				if fmt.Sprint(p.did) != c.did {
					t.Errorf("did %v, want %v", p.did, c.did)
				}
				r.stop()
			})
		})
	}
}

// Trouble on this side: what passes is tried again, a failed disk is not.
func TestTroubleHere(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		p, q := r.follow(id('a', 0)), r.follow(id('a', 1))
		p.fails, q.fails = kerr.CorruptMessage, kerr.KafkaStorageError
		r.leader.append(p.id, 10)
		r.leader.append(q.id, 10)
		r.caught(p.id, 10)
		r.rest(time.Minute)
		if told := r.leader.told(q.id); told != 0 {
			t.Errorf("a replica whose disk has failed fetches: %d", told)
		}
		r.stop()
	})
}

// A leader that forgets the session, or has room for none, is followed all the same.
func TestSessionsEnd(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		p := r.follow(id('a', 0))
		for n := range int64(5) {
			r.leader.append(p.id, 1)
			r.caught(p.id, n+1)
			r.leader.change(func() {
				if n%2 == 0 {
					clear(r.leader.sessions)
				} else {
					r.leader.sessions[r.leader.id].epoch += 3
				}
			})
		}
		r.stop()
	})
}

// A leader that goes is asked again and again, longer apart, and at once when it is known
// to be back at another address.
func TestLeaderGoesAndReturns(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		p := r.follow(id('a', 0))
		r.leader.append(p.id, 1)
		r.caught(p.id, 1)
		var dials atomic.Int32
		r.net.OnDial(func(string, string) error { dials.Add(1); return nil })
		r.down()
		r.rest(time.Minute)
		if n := dials.Load(); n < 55 || n > 75 {
			t.Errorf("dialed %d times in a minute", n)
		}
		r.port = "2"
		r.up()
		r.leader.append(p.id, 1)
		r.fleet.Returned(1)
		if took := r.caught(p.id, 2); took > 5*time.Millisecond {
			t.Errorf("followed after %v", took)
		}
		// When nothing is left to follow the connection ends.
		r.fleet.Unfollow(p.id)
		r.rest(time.Second)
		before := len(r.leader.requests)
		r.rest(time.Minute)
		if len(r.leader.requests) != before {
			t.Error("a leader is asked that leads nothing of here")
		}
		r.stop()
	})
}

// Replicas that are far behind do not hold up those that are in sync, and move into their
// lane when they have caught up.
func TestCatchingUpHoldsNobodyUp(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.fleet.cfg.MaxBytes, r.fleet.cfg.AnswerBytes = 100, 500
		live := r.follow(id('b', 0))
		r.rest(time.Second)
		var late []*replica
		for n := range int32(50) {
			p := &replica{t: t, id: id('a', n), epoch: 5, delay: 10 * time.Millisecond}
			r.leader.change(func() { r.leader.logs[p.id] = &leaderLog{epoch: 5, sent: -1, end: 2000, hw: 2000} })
			r.fleet.Follow(p, 1, 5)
			late = append(late, p)
		}
		r.rest(2 * time.Second) // by now they are in the other lane
		for n := range int64(50) {
			r.leader.append(live.id, 1)
			if took := r.caught(live.id, n+1); took > 15*time.Millisecond {
				t.Errorf("one that is in sync took %v", took)
			}
		}
		r.rest(time.Minute)
		for _, p := range late {
			r.caught(p.id, 2000)
		}
		for _, p := range late {
			r.leader.append(p.id, 1)
			if took := r.caught(p.id, 2001); took > 20*time.Millisecond {
				t.Errorf("one that has caught up took %v", took)
			}
		}
		if f := r.fleet.lanes[1].catchUp; f == nil || len(f.states) > 0 {
			t.Error("somebody is still catching up, or nobody ever was")
		}
		r.stop()
	})
}
