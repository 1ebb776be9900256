package controller

import (
	"context"
	"time"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/cluster/metadata"
)

// probeTimeout bounds one probe: who has not answered by then is silent.
const probeTimeout = time.Second

// Run looks after the brokers until ctx ends: while this node leads it fences those that
// have died or fallen silent, gives leaderships back to preferred replicas and finds
// leaders for partitions that have none. On every node it gets to know the endpoints of
// brokers, so that a new controller can tell the dead at once.
func (s *Service) Run(ctx context.Context) error {
	g := run.New(ctx, "controller")
	g.Go("watch", func(ctx context.Context) error { return s.watch(ctx, g) })
	return g.Wait()
}

func (s *Service) watch(ctx context.Context, g *run.Group) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	image := s.o.Feed.Image()
	news := s.follow(ctx, g, image)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		case <-s.kick:
		case <-news:
		}
		probes, again := s.look()
		for _, p := range probes {
			g.Go("probe", func(ctx context.Context) error { s.probe(ctx, p); return nil })
		}
		timer.Reset(time.Until(again))
	}
}

// follow kicks the watch when the set of brokers changes.
func (s *Service) follow(ctx context.Context, g *run.Group, image *metadata.Image) <-chan struct{} {
	news := make(chan struct{}, 1)
	g.Go("follow", func(ctx context.Context) error {
		for {
			next, changes, err := s.o.Feed.Next(ctx, image)
			if err != nil {
				return err
			}
			image = next
			if len(changes.Brokers)+len(changes.Configs) > 0 {
				select {
				case news <- struct{}{}:
				default:
				}
			}
		}
	})
	return news
}

// LineLost hints that a connection of the broker has ended: it is probed at once.
func (s *Service) LineLost(broker int32) {
	s.mu.Lock()
	s.live.lineLost(broker)
	s.mu.Unlock()
	s.hurry()
}

// hurry has the watch look now.
func (s *Service) hurry() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// target is a probe to be made.
type target struct {
	id      int32
	epoch   int64
	address string
}

// look fences who must be fenced, and does what else is due, without waiting for it to
// be agreed.
func (s *Service) look() (probes []target, again time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	image := s.image
	if s.term < 0 {
		image = s.o.Feed.Image()
	}
	s.live.follow(brokersOf(image), now)
	o := s.live.look(now)
	for _, id := range o.fence {
		s.fenceSilent(id, now)
	}
	for _, id := range o.probe {
		if b, ok := image.Broker(id); ok && s.o.Probe != nil {
			probes = append(probes, target{id, b.Epoch, address(b, s.o.InterBroker)})
		}
	}
	if s.term >= 0 {
		o.again = earlier(o.again, s.chores(now))
	}
	return probes, o.again
}

func brokersOf(m *metadata.Image) []seen {
	list := make([]seen, 0, m.BrokerCount())
	for b := range m.Brokers() {
		list = append(list, seen{b.ID, b.Epoch, b.Fenced})
	}
	return list
}

// fenceSilent fences a broker. The lock is held.
func (s *Service) fenceSilent(id int32, now time.Time) {
	p := s.live.pulses[id]
	why := "its session has timed out"
	if p.refused {
		why = "its process is gone"
	}
	_, _, err := decideLocked(s, func(st State) (int, []metadata.Record) {
		recs, err := st.FenceBroker(id)
		if err != nil {
			panic("bug: a broker that is watched is not registered: " + err.Error())
		}
		s.o.Log.Info("broker fenced", "broker", id, "epoch", p.epoch, "why", why,
			"silent", now.Sub(p.heard), "partitions", max(0, len(recs)-1))
		return 0, recs
	})
	if err != nil {
		s.o.Log.Warn("broker not fenced", "broker", id, "err", err)
		return
	}
	p.fenced = true
}

// probe connects to a broker and tells the watch what came of it.
func (s *Service) probe(ctx context.Context, t target) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	began := time.Now()
	err := s.o.Probe(ctx, t.address)
	s.mu.Lock()
	s.live.probed(t.id, t.epoch, began, verdictOf(err))
	s.mu.Unlock()
	s.hurry()
}
