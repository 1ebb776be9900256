package txn

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/proto/model"
)

// sender takes markers to the leaders of their partitions, and says when they have been
// written. A broker has a queue, and while that is not empty a goroutine which asks the
// broker to write all that has gathered, one request at a time. What does not arrive, and
// what has no leader, is parked: it is tried again after a while, or as soon as another
// broker leads. A partition that is gone needs no marker.
//
// It tries for ever, but only for the machine that wants the markers now.
type sender struct {
	leader func(model.TopicPartition) (node, epoch int32, exists bool)
	ask    askFunc
	ack    func(partition int32, acks []*job)
	log    *slog.Logger
	on     any // this node, at failpoints
	kicks  chan struct{}

	mu      sync.Mutex // guards what follows, for moments only
	group   *run.Group // nil: nothing is sent
	serials uint64
	tenures map[int32]tenure
	queues  map[int32]*queue // by broker
	parked  []*parcel
}

// tenure is a leadership of a partition of __transaction_state, and its machine.
type tenure struct {
	epoch  int32
	serial uint64
}

// parcel is the markers of a transaction for one broker.
type parcel struct {
	job
	from     int32 // the partition of __transaction_state
	epochOf  int32 // and its leader epoch: the coordinator epoch
	node     int32 // that was to write it, model.NoLeader if there was none
	attempts int
	at       time.Time // not before
}

// queue is what a broker is to write, and what it was asked to write and has not answered.
type queue struct {
	parcels []*parcel
	busy    bool
	asked   []*parcel
	giveUp  context.CancelFunc
}

const (
	minBackoff = 20 * time.Millisecond
	maxBackoff = time.Second
)

func newSender(cfg Config, ack func(int32, []*job)) *sender {
	return &sender{
		leader: cfg.Leader, ask: cfg.Ask, ack: ack, log: cfg.Log, on: cfg.On, kicks: make(chan struct{}, 1),
		tenures: map[int32]tenure{}, queues: map[int32]*queue{},
	}
}

func (s *sender) start(g *run.Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.group = g
}

// stop lets no goroutine begin any more.
func (s *sender) stop() { s.start(nil) }

// lead notes the epoch under which markers of a partition are sent.
func (s *sender) lead(p, epoch int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.tenures[p]; !ok || epoch > t.epoch {
		s.tenures[p] = tenure{epoch, t.serial}
	}
}

// begin returns the serial number of a new machine; what its predecessor wanted is
// dropped.
func (s *sender) begin(p int32) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serials++
	s.tenures[p] = tenure{s.tenures[p].epoch, s.serials}
	return s.serials
}

func (s *sender) resign(p int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tenures, p)
}

// add has markers sent.
func (s *sender) add(p int32, jobs []*job) {
	if len(jobs) == 0 {
		return
	}
	s.mu.Lock()
	parcels := make([]*parcel, len(jobs))
	for i, j := range jobs {
		parcels[i] = &parcel{job: *j, from: p, epochOf: s.tenures[p].epoch}
	}
	done := s.route(parcels)
	s.mu.Unlock()
	s.deliver(done)
}

// route puts parcels into the queues of the brokers that lead their partitions, split as
// need be; those without a leader are parked. It returns what is done: the partitions
// that are gone, and transactions without any. mu is held.
func (s *sender) route(parcels []*parcel) (done []*parcel) {
	for _, p := range parcels {
		if !s.current(p) {
			continue
		}
		parts, gone := s.split(p)
		if len(gone) > 0 || len(p.partitions) == 0 {
			done = append(done, p.part(gone))
		}
		for _, part := range parts {
			if part.node == model.NoLeader {
				s.park(part)
			} else {
				s.enqueue(part)
			}
		}
	}
	return done
}

// split sorts the partitions of a parcel by their leaders.
func (s *sender) split(p *parcel) (parts []*parcel, gone []model.TopicPartition) {
	by := map[int32]*parcel{}
	for _, tp := range p.partitions {
		node, _, exists := s.leader(tp)
		if !exists {
			gone = append(gone, tp)
			continue
		}
		node = max(node, model.NoLeader)
		if by[node] == nil {
			by[node] = p.part(nil)
			by[node].node = node
			parts = append(parts, by[node])
		}
		by[node].partitions = append(by[node].partitions, tp)
	}
	return parts, gone
}

// part is a parcel with some of the partitions.
func (p *parcel) part(partitions []model.TopicPartition) *parcel {
	part := *p
	part.partitions = partitions
	return &part
}

// current reports whether the machine that wants a parcel is there still. mu is held.
func (s *sender) current(p *parcel) bool {
	t, ok := s.tenures[p.from]
	return ok && t.serial == p.serial
}

// enqueue gives a parcel to its broker. mu is held.
func (s *sender) enqueue(p *parcel) {
	q := s.queues[p.node]
	if q == nil {
		q = &queue{}
		s.queues[p.node] = q
	}
	q.parcels = append(q.parcels, p)
	if !q.busy && s.group != nil {
		q.busy = true
		s.group.Go("sender", func(ctx context.Context) error { s.send(ctx, p.node, q); return nil })
	}
}

// park keeps a parcel for later. mu is held.
func (s *sender) park(p *parcel) {
	p.attempts++
	p.at = time.Now().Add(min(minBackoff<<min(p.attempts-1, 16), maxBackoff))
	s.parked = append(s.parked, p)
	s.kick()
}

func (s *sender) kick() {
	select {
	case s.kicks <- struct{}{}:
	default:
	}
}

// moved looks at parcels again that wait for a leader, or for one that others have
// followed. A broker that has been followed may owe its answer for long: who follows is
// asked at once, and it is not waited for when nothing is left that it leads. What it still
// leads is not sent twice: of transactions before version 2, a marker that is late could end
// the next one.
func (s *sender) moved() {
	s.mu.Lock()
	var again []*parcel
	for _, q := range s.queues {
		again = append(again, s.follow(q)...)
	}
	keep := s.parked[:0]
	for _, p := range s.parked {
		if slices.ContainsFunc(p.partitions, func(tp model.TopicPartition) bool { return s.elsewhere(p.node, tp) }) {
			again = append(again, p)
		} else {
			keep = append(keep, p)
		}
	}
	clear(s.parked[len(keep):])
	s.parked = keep
	done := s.route(again)
	s.mu.Unlock()
	s.deliver(done)
}

// follow takes from what a broker was asked the partitions that it no longer leads. mu is
// held.
func (s *sender) follow(q *queue) (moved []*parcel) {
	left := 0
	for _, p := range q.asked {
		var away, here []model.TopicPartition
		for _, tp := range p.partitions {
			if s.elsewhere(p.node, tp) {
				away = append(away, tp)
			} else {
				here = append(here, tp)
			}
		}
		if len(away) > 0 {
			moved = append(moved, p.part(away))
			p.partitions = here
		}
		left += len(here)
	}
	if len(moved) > 0 && left == 0 {
		q.giveUp()
	}
	return moved
}

// elsewhere reports whether another broker leads a partition than the one that was to
// write the marker, or none.
func (s *sender) elsewhere(node int32, tp model.TopicPartition) bool {
	now, _, exists := s.leader(tp)
	return !exists || max(now, model.NoLeader) != node
}

// run tries parked parcels again when it is time.
func (s *sender) run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(s.unpark())
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.kicks:
		}
	}
}

// unpark routes the parcels that are due and returns how long the others have to wait.
func (s *sender) unpark() time.Duration {
	s.mu.Lock()
	now, wait := time.Now(), time.Hour
	var due []*parcel
	keep := s.parked[:0]
	for _, p := range s.parked {
		switch left := p.at.Sub(now); {
		case !s.current(p):
		case left <= 0:
			due = append(due, p)
		default:
			wait = min(wait, left)
			keep = append(keep, p)
		}
	}
	clear(s.parked[len(keep):])
	s.parked = keep
	before := len(keep)
	done := s.route(due)
	for _, p := range s.parked[before:] {
		wait = min(wait, p.at.Sub(now))
	}
	s.mu.Unlock()
	s.deliver(done)
	return wait
}

// deliver acknowledges, a partition of __transaction_state at a time.
func (s *sender) deliver(done []*parcel) {
	for len(done) > 0 {
		p := done[0].from
		var acks []*job
		rest := done[:0]
		for _, d := range done {
			if d.from == p {
				acks = append(acks, &d.job)
			} else {
				rest = append(rest, d)
			}
		}
		s.ack(p, acks)
		done = rest
	}
}
