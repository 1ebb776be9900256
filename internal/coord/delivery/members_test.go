package delivery

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// TestMembers lets members deliver, process, fail and go, each on its own, while writers
// write, leaders come and go in the middle of whatever is under way, the coordinator is slow,
// fails, or stores what it says it has not, and the dead letter queue is away now and then.
// Of each record is known who has it by the answers alone:
//
//	no two members have it at once, under one leader
//	what was answered as accepted or rejected never comes again, under any leader
//	it is delivered no more often than may be, under one leader
//	in the end each is accepted, or tells of itself in the dead letter queue
func TestMembers(t *testing.T) {
	for seed := range uint64(30) {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { runMembers(t, seed) }) {
			return
		}
	}
}

// life is one history. mu guards it all but the broker.
type life struct {
	*broker
	office *office
	mu     sync.Mutex
	rng    *rand.Rand
	leader int // how many there were
	epoch  int32
	over   bool
	end    int64
	had    map[int64]*possession
}

// possession is what answers tell of a record.
type possession struct {
	member     string
	leader     int
	until      time.Time
	acks       bool // the member has acknowledged it, and is not told yet what came of that
	passed     bool // to another since
	deliveries int  // under the leader
	settled    string
	perhaps    bool     // accepted or rejected, by an acknowledgement whose answer says nothing
	story      []string // of all that is known
}

func (p *possession) tell(format string, args ...any) {
	p.story = append(p.story, time.Now().Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

func runMembers(t *testing.T, seed uint64) {
	withOffice(t, func(b *broker, o *office) {
		l := &life{broker: b, office: o, rng: rand.New(rand.NewPCG(seed, 5)), had: map[int64]*possession{}, epoch: 1}
		b.change(func(s *Settings) {
			s.MaxDeliveries, s.MaxInFlight, s.Lock = 2+l.dice(4), 20+l.dice(50), 10*time.Second
		})
		var running sync.WaitGroup
		for _, name := range []string{"a", "b", "c"} {
			running.Go(func() { l.live(name) })
		}
		running.Go(l.write)
		for range 40 {
			time.Sleep(time.Duration(l.dice(3000)) * time.Millisecond)
			l.misfortune()
		}
		l.mu.Lock()
		l.over = true
		l.mu.Unlock()
		running.Wait()
		l.finish()
	})
}

func (l *life) dice(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rng.IntN(n)
}

func (l *life) done() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

func (l *life) write() {
	for !l.done() {
		values := make([]string, 1+l.dice(8))
		l.mu.Lock() // not while another begins to lead
		l.end = l.append(t0, values...)
		l.mu.Unlock()
		time.Sleep(time.Duration(l.dice(1000)) * time.Millisecond)
	}
}

// live is a member: it takes, thinks about it, and acknowledges, or does not.
func (l *life) live(name string) {
	for !l.done() {
		time.Sleep(time.Duration(1+l.dice(800)) * time.Millisecond)
		got, leader := l.deliver(name)
		if len(got) == 0 {
			continue
		}
		time.Sleep(time.Duration(l.dice(2000)) * time.Millisecond)
		if l.dice(20) == 0 {
			time.Sleep(11 * time.Second) // too long
		}
		for _, a := range got {
			l.acknowledge(name, leader, a)
		}
		if l.dice(30) == 0 {
			l.forget(name) // before, for then others may have it
			l.now().Release("g", name, model.IDPartition{Topic: topicID})
		}
	}
}

// now is the Service that leads.
func (l *life) now() *Service {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	return l.service
}

func (l *life) deliver(name string) (got []Acquired, leader int) {
	sh, err := l.now().Open("g", t0, topicID)
	if err != nil {
		return nil, 0
	}
	ask := Ask{Member: name, RecordLimit: l.dice(2) == 0, MaxRecords: 1 + l.dice(10), BatchSize: 1 + l.dice(10)}
	l.mu.Lock()
	defer l.mu.Unlock()
	d, err := sh.Deliver(ask, 1<<20, true) // under mu, so that the answer is known before anything else happens
	d.Release()
	if err != nil || sh.service != l.now() {
		return nil, 0
	}
	for _, a := range d.Acquired {
		for o := a.First; o <= a.Last; o++ {
			l.possess(name, o, int(a.Deliveries))
		}
	}
	return d.Acquired, l.leader
}

// possess notes a delivery, and holds it to the rules.
func (l *life) possess(name string, o int64, deliveries int) {
	p := l.had[o]
	if p == nil {
		p = &possession{}
		l.had[o] = p
	}
	if p.settled != "" {
		l.Errorf("%d comes again to %s after it was %s", o, name, p.settled)
	}
	p.passed = p.acks
	if p.leader == l.leader && p.member != "" && !p.acks && p.until.After(time.Now()) {
		l.Errorf("%d is %s's and comes to %s", o, p.member, name)
	}
	if p.leader != l.leader {
		p.deliveries = 0
	}
	p.deliveries++
	limit := l.settings().MaxDeliveries
	if p.deliveries > limit || deliveries > limit || deliveries < p.deliveries {
		l.Errorf("%d comes for the %d. time, said to be the %d.", o, p.deliveries, deliveries)
	}
	p.member, p.leader, p.until = name, l.leader, time.Now().Add(10*time.Second)
	p.tell("to %s ×%d by leader %d", name, deliveries, l.leader)
}

func (l *life) settings() Settings {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	return l.set
}

// acknowledge says what became of an Acquired, by one type or by one for each.
func (l *life) acknowledge(name string, leader int, a Acquired) {
	kinds := []int8{Accept, Accept, Accept, Accept, Release, Reject}
	ack := Ack{First: a.First, Last: a.Last, Types: []int8{kinds[l.dice(len(kinds))]}}
	if l.dice(3) == 0 {
		ack.Types = nil
		for range a.Last - a.First + 1 {
			ack.Types = append(ack.Types, kinds[l.dice(len(kinds))])
		}
	}
	l.mu.Lock()
	same := leader == l.leader
	for o := a.First; o <= a.Last; o++ {
		p := l.had[o]
		p.acks, p.passed = p.member == name && p.leader == leader && same, false
	}
	verdict := l.now().Acknowledge("g", name, t0, topicID, []Ack{ack})
	l.mu.Unlock()
	err := verdict.Wait(l.Context())
	l.mu.Lock()
	defer l.mu.Unlock()
	for o := a.First; o <= a.Last; o++ {
		p := l.had[o]
		mine := p.member == name && p.leader == leader && same
		kind := ack.Types[min(int(o-a.First), len(ack.Types)-1)]
		p.tell("%s acks %d: %v", name, kind, err)
		if p.acks = false; p.passed && err == nil && kind != Release {
			l.Errorf("%d comes to %s, and %s was done with it", o, p.member, name)
		}
		switch {
		case err != nil:
			if mine && leader == l.leader && p.until.After(time.Now()) && isAny(err, kerr.InvalidRecordState, kerr.InvalidRequest) {
				l.Errorf("%s has %d and may not acknowledge it: %v", name, o, err)
			}
			p.perhaps = p.perhaps || kind != Release && !isAny(err, kerr.InvalidRecordState, kerr.InvalidRequest)
			continue
		case !mine: // what is below the start may be acknowledged by anyone
			p.perhaps = true
		case kind == Accept:
			p.settled = "accepted"
		case kind == Reject:
			p.settled = "rejected"
		}
		if mine {
			p.member = ""
		}
	}
}

// forget notes that a member has given back all that it has.
func (l *life) forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.had {
		if p.member == name {
			p.member = ""
		}
	}
}

var errSaid = errors.New("the answer is lost")

// misfortune is what befalls the cluster.
func (l *life) misfortune() {
	switch l.dice(10) {
	case 0, 1:
		l.crash()
	case 2:
		l.store.set(func(c *coordinator) { c.delay = time.Duration(l.dice(400)) * time.Millisecond })
	case 3, 4:
		odds, done := l.dice(3), l.dice(2) == 0
		l.store.set(func(c *coordinator) {
			c.refuse = func(share.Key) (error, bool) {
				if l.rarely(odds) {
					return errSaid, done
				}
				return nil, false
			}
		})
	case 5, 6:
		l.store.failing(nil)
	case 7:
		l.office.set(func(o *office) { o.fails = errSaid })
	default:
		l.office.set(func(o *office) { o.fails = nil })
	}
}

// rarely has no dice of its own, as it is asked with other locks held: the coordinator's
// count of writes will do.
func (l *life) rarely(odds int) bool { return odds > 0 && l.store.writes%(odds+1) == 0 }

// crash ends the leader in the middle of whatever it does, and begins another, on the same
// log and what was stored.
func (l *life) crash() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop() // who waits is told; what is on its way to the coordinator may arrive or not
	l.leader++
	l.epoch += 2
	l.broker.lead(l.broker.parts[t0], l.epoch)
	l.broker.mu.Lock()
	b, ended := l.broker, l.ended
	l.broker.mu.Unlock()
	b.begin()
	go func() { <-ended }()
}

// finish lets one member accept all that is left, and looks at what became of everything.
func (l *life) finish() {
	l.store.set(func(c *coordinator) { c.refuse, c.delay = nil, 0 })
	l.office.set(func(o *office) { o.fails = nil })
	time.Sleep(time.Minute)
	sh := l.open("g")
	for range 5000 {
		got, leader := l.deliver("z")
		for _, a := range got {
			if err := l.now().Acknowledge("g", "z", t0, topicID, []Ack{{a.First, a.Last, []int8{Accept}}}).Wait(l.Context()); err != nil {
				l.Errorf("z may not accept %v: %v", a, err)
			}
			for o := a.First; o <= a.Last; o++ {
				l.had[o].settled = "accepted"
			}
		}
		if len(got) == 0 {
			synctest.Wait()
			if sh.state.start == l.end {
				break
			}
			time.Sleep(time.Second)
		}
		_ = leader
	}
	if sh.state.start != l.end {
		l.Errorf("stuck: %v, the log ends at %d", sh.state, l.end)
	}
	written := l.office.take()
	lettered := func(o int64) bool {
		return slices.ContainsFunc(strings.Split(written, "\n"), func(s string) bool {
			return strings.Contains(s, fmt.Sprintf(" offset=%d ", o))
		})
	}
	for o := range l.end {
		p := l.had[o]
		switch {
		case p == nil:
			l.Errorf("%d was never delivered", o)
		case p.settled == "rejected" && !lettered(o):
			l.Errorf("%d was rejected and tells of itself nowhere\n%s", o, strings.Join(p.story, "\n"))
		case p.settled == "" && !p.perhaps && !lettered(o):
			l.Errorf("%d is lost\n%s", o, strings.Join(p.story, "\n"))
		}
	}
}
