package controller

import (
	"slices"
	"time"
)

// liveness tells who has to be fenced, and who has to be looked after, from what was
// heard of each broker. It is pure: the time comes in, ids go out.
//
// A broker is fenced when it was silent for a session, or when its endpoint refuses
// connections although nothing was heard since: then there is no process. Only an
// endpoint that has accepted a connection before can prove that: an address that this
// node never reached says nothing of the broker behind it.
//
// Whoever looks late has been asleep, and what the brokers sent meanwhile may still
// lie unread: lateness is given to every broker as grace.
type liveness struct {
	session time.Duration // silence after which a broker is fenced
	overdue time.Duration // silence after which it is probed
	leading bool          // else nobody is fenced, but endpoints are got to know
	due     time.Time     // when it should be looked again; zero: no matter when
	pulses  map[int32]*pulse
}

// pulse is what was heard of one broker in one registration.
type pulse struct {
	epoch   int64
	heard   time.Time // last heartbeat, or where its grace begins
	spoke   bool      // it has sent a heartbeat to this controller in this term
	fenced  bool
	lost    bool      // its line ended after it was heard
	reached bool      // its endpoint has accepted a connection
	refused bool      // its endpoint refuses connections, and it was not heard since
	probing bool      // a probe is under way
	probed  time.Time // when the last one began
}

// seen is a registered broker.
type seen struct {
	id     int32
	epoch  int64
	fenced bool
}

func newLiveness(session, overdue time.Duration) *liveness {
	return &liveness{session: session, overdue: overdue, pulses: map[int32]*pulse{}}
}

// lead begins a term: every broker has a session's time to find the new controller, but
// each is probed at once, and one whose process is dead has nothing of it.
func (l *liveness) lead(now time.Time) {
	l.leading, l.due = true, time.Time{}
	for _, p := range l.pulses {
		p.heard, p.spoke, p.lost, p.refused = now, false, true, false
	}
}

func (l *liveness) resign() { l.leading, l.due = false, time.Time{} }

// follow takes over which brokers there are.
func (l *liveness) follow(brokers []seen, now time.Time) {
	gone := make(map[int32]bool, len(l.pulses))
	for id := range l.pulses {
		gone[id] = true
	}
	for _, b := range brokers {
		delete(gone, b.id)
		p := l.pulses[b.id]
		if p == nil || p.epoch != b.epoch {
			p = &pulse{epoch: b.epoch, heard: now}
			l.pulses[b.id] = p
		}
		p.fenced = b.fenced
	}
	for id := range gone {
		delete(l.pulses, id)
	}
}

// heartbeat notes that a broker has spoken.
func (l *liveness) heartbeat(id int32, epoch int64, now time.Time) {
	p := l.pulses[id]
	if p == nil || p.epoch != epoch {
		p = &pulse{epoch: epoch, fenced: true}
		l.pulses[id] = p
	}
	p.heard, p.spoke, p.lost, p.refused = now, true, false, false
}

// lineLost notes that a connection of the broker has ended.
func (l *liveness) lineLost(id int32) {
	if p := l.pulses[id]; p != nil {
		p.lost = true
	}
}

// verdict is what a probe has found.
type verdict int8

const (
	unanswered verdict = iota // nothing, or something that says nothing
	accepted                  // somebody listens
	refused                   // nobody does
)

// probed takes over what a probe found that began at began.
func (l *liveness) probed(id int32, epoch int64, began time.Time, v verdict) {
	p := l.pulses[id]
	if p == nil || p.epoch != epoch {
		return
	}
	p.probing = false
	switch v {
	case accepted:
		p.reached, p.lost = true, false
	case refused:
		p.refused = p.reached && !p.heard.After(began)
	}
}

// alive reports whether a broker was heard of within a session.
func (l *liveness) alive(id int32, epoch int64, now time.Time) bool {
	p := l.pulses[id]
	return p != nil && p.epoch == epoch && p.spoke && !p.refused && now.Sub(p.heard) < l.session
}

// hasLost reports whether a broker's line ended after it was heard.
func (l *liveness) hasLost(id int32) bool {
	p := l.pulses[id]
	return p != nil && (p.lost || p.refused)
}

// outlook is what follows from a look, ids in order.
type outlook struct {
	fence []int32
	probe []int32
	again time.Time // when to look again at the latest
}

// look says who is to be fenced and whom to probe. Each probe must be told by probed;
// those of fence are expected to come back fenced by follow.
func (l *liveness) look(now time.Time) outlook {
	l.forgive(now)
	o := outlook{again: now.Add(l.session / 12)}
	if !l.leading {
		o.again = now.Add(l.session)
	}
	for id, p := range l.pulses {
		if p.fenced {
			continue
		}
		if l.leading && (p.refused || now.Sub(p.heard) >= l.session) {
			o.fence = append(o.fence, id)
			continue
		}
		if l.leading {
			o.again = earlier(o.again, p.heard.Add(l.session))
		}
		at, wanted := l.nextProbe(p)
		switch {
		case !wanted || p.probing:
		case !at.After(now):
			o.probe = append(o.probe, id)
			p.probing, p.probed = true, now
		default:
			o.again = earlier(o.again, at)
		}
	}
	slices.Sort(o.fence)
	slices.Sort(o.probe)
	l.due = o.again
	return o
}

// forgive moves every broker's last sign of life by as much as this look is late.
func (l *liveness) forgive(now time.Time) {
	if l.due.IsZero() || !now.After(l.due) {
		return
	}
	late := now.Sub(l.due)
	for _, p := range l.pulses {
		p.heard = earlier(p.heard.Add(late), now)
	}
}

// nextProbe says when a broker should be probed: at once when its line has ended, when
// its heartbeat is overdue, and until its endpoint is known to work.
func (l *liveness) nextProbe(p *pulse) (at time.Time, wanted bool) {
	patience := func(d time.Duration) time.Time {
		if p.probed.IsZero() {
			return p.probed
		}
		return p.probed.Add(d)
	}
	switch {
	case p.lost && l.leading:
		return patience(l.overdue / 4), true
	case !p.reached:
		return patience(l.session), true
	case l.leading:
		at := p.heard.Add(l.overdue)
		if again := p.probed.Add(l.overdue); again.After(at) {
			at = again
		}
		return at, true
	}
	return time.Time{}, false
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
