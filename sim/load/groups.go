//go:build synctests

package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Grouping reports whether there can be members of groups: with this build tag the locks of
// franz-go that its members hold while they wait do not stop a bubble.
const Grouping = true

// session is how long a member of a classic group may be silent; that of the others is a
// setting of the world.
const sessionTimeout = 6 * time.Second

// crowd is a group of consumers and what all its members have read.
type crowd struct {
	name  string
	rules history.Rules
	topic Topic

	mu sync.Mutex // guards at
	at map[int32]int64
}

func (l *Load) startGroups() {
	m := l.Mix
	orders := m.topic(Orders)
	for _, g := range []struct {
		n     int
		name  string
		rules history.Rules
	}{{m.Eager, "eager", history.Eager}, {m.Cooperative, "cooperative", history.Cooperative}, {m.Consumers, "consumers", history.Consumer}} {
		if g.n == 0 {
			continue
		}
		c := &crowd{name: g.name, rules: g.rules, topic: orders, at: make(map[int32]int64)}
		l.behind("group "+g.name, func() string { return l.unread(orders, history.Committed, &c.mu, c.at) })
		for range g.n {
			l.read("member", func(a *actor) { a.join(c) })
		}
	}
	l.startSharers()
}

// frail is a line that is cut when its client dies.
type frail struct {
	a    *actor
	dead atomic.Bool
	mu   sync.Mutex // guards all
	all  []net.Conn
}

func (f *frail) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := f.a.w.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if f.dead.Load() {
		_ = c.Close()
		return nil, errors.New("the client has died")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, c)
	return c, nil
}

func (f *frail) die() {
	f.dead.Store(true)
	f.mu.Lock()
	all := f.all
	f.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// join is one member after the other: each reads and commits for a while, and leaves or dies.
func (a *actor) join(g *crowd) {
	for n := 0; !a.over(); n++ {
		a.reborn()
		m := &member{actor: a, g: g, line: &frail{a: a}, slow: rand.New(rand.NewPCG(a.rng.Uint64(), 1))}
		m.c = a.client(m.options()...)
		life, cancel := context.WithTimeout(a.ctx, time.Duration(3+a.rng.IntN(30))*time.Second)
		m.live(life)
		cancel()
		if a.chance(3) {
			m.line.die()
		}
		m.c.Close()
		a.pause(time.Second)
	}
}

// member is one member of a group.
type member struct {
	*actor
	g    *crowd
	c    *kgo.Client
	line *frail
	slow *rand.Rand // for what is called back on goroutines of the library
}

func (m *member) options() []kgo.Opt {
	opts := []kgo.Opt{kgo.ConsumerGroup(m.g.name), kgo.ConsumeTopics(m.g.topic.Name), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(300 * time.Millisecond), kgo.Dialer(m.line.dial),
		kgo.OnPartitionsAssigned(func(_ context.Context, c *kgo.Client, p map[string][]int32) { m.owns(history.Assign, c, p) }),
		kgo.OnPartitionsRevoked(func(ctx context.Context, c *kgo.Client, p map[string][]int32) {
			m.commit(ctx)
			if m.slow.IntN(4) == 0 {
				m.wait(time.Duration(m.slow.Int64N(int64(3 * time.Second)))) // it has not given up yet
			}
			m.owns(history.Revoke, c, p)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, c *kgo.Client, p map[string][]int32) { m.owns(history.Lost, c, p) }),
	}
	switch m.g.rules {
	case history.Eager:
		return append(opts, kgo.Balancers(kgo.RangeBalancer()), kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(700*time.Millisecond), kgo.RebalanceTimeout(8*time.Second))
	case history.Cooperative:
		return append(opts, kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(700*time.Millisecond), kgo.RebalanceTimeout(8*time.Second))
	}
	return append(opts, kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))
}

// owns notes that the member has been given partitions, or gives them up.
func (m *member) owns(kind history.Kind, c *kgo.Client, partitions map[string][]int32) {
	op := m.blank(kind, history.Place{})
	op.Group, op.Rules = m.g.name, m.g.rules
	op.Member, op.Generation = c.GroupMetadata()
	for topic, list := range partitions {
		for _, n := range list {
			op.Places = append(op.Places, history.Place{Topic: topic, Partition: n})
		}
	}
	if len(op.Places) > 0 {
		m.rec.Note(op)
	}
}

func (m *member) live(ctx context.Context) {
	before, now := m.rec.Now(), m.rec.Now()
	for ctx.Err() == nil {
		short, cancel := context.WithTimeout(ctx, time.Second)
		fetches := m.c.PollFetches(short)
		cancel()
		m.polled(fetches, before, history.Committed, m.g.name, func(op history.Op) {
			m.g.mu.Lock()
			defer m.g.mu.Unlock()
			m.g.at[op.Partition] = max(m.g.at[op.Partition], op.Records[len(op.Records)-1].Offset+1)
		})
		before, now = now, m.rec.Now()
		if !m.chance(3) {
			m.commit(ctx)
		}
		m.pause(2 * m.Mix.Pace)
	}
}

// commit commits what was polled.
func (m *member) commit(ctx context.Context) {
	offsets := m.c.UncommittedOffsets()
	if len(offsets) == 0 {
		return
	}
	ops := map[history.Place]*history.Op{}
	for topic, partitions := range offsets {
		for n, o := range partitions {
			op := m.blank(history.CommitOffset, history.Place{Topic: topic, Partition: n})
			op.Group, op.Offset, op.Rules = m.g.name, o.Offset, m.g.rules
			op.Member, op.Generation = m.c.GroupMetadata()
			ops[history.Place{Topic: topic, Partition: n}] = m.rec.Begin(op)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	m.c.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil || resp == nil {
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				op := ops[history.Place{Topic: t.Topic, Partition: p.Partition}]
				if op == nil {
					continue
				}
				delete(ops, history.Place{Topic: t.Topic, Partition: p.Partition})
				op.Member, op.Generation = req.MemberID, req.Generation
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					m.end(op, unsure{err})
				} else {
					m.end(op, nil)
				}
			}
		}
	})
	for _, op := range ops {
		m.end(op, unsure{errors.New("not answered")})
	}
}

// sharers are a share group and what its members have been done with, as far as they know.
type sharers struct {
	topic Topic
	mu    sync.Mutex // guards seen
	seen  map[history.Place]map[int64]bool
}

func (l *Load) startSharers() {
	if l.Mix.Sharers == 0 {
		return
	}
	s := &sharers{topic: l.Mix.topic(Orders), seen: make(map[history.Place]map[int64]bool)}
	l.behind("share group", func() string {
		if l.w.Tally()["bit flips"] > 0 {
			return "" // what was given out before its rot was found is given up after some deliveries
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for n := range s.topic.Partitions {
			for _, r := range l.drainedOf(history.Place{Topic: s.topic.Name, Partition: n}, history.Uncommitted) {
				if !s.seen[history.Place{Topic: s.topic.Name, Partition: n}][r.Offset] {
					return fmt.Sprintf("%d of %s-%d was not done with", r.Offset, s.topic.Name, n)
				}
			}
		}
		return ""
	})
	for range l.Mix.Sharers {
		l.read("sharer", func(a *actor) { a.share(s) })
	}
}

// share is one member of the share group after the other.
func (a *actor) share(s *sharers) {
	for !a.over() {
		a.reborn()
		var mu sync.Mutex // guards failed
		failed := map[history.Place]bool{}
		line := &frail{a: a}
		c := a.client(kgo.ShareGroup(sharing), kgo.ConsumeTopics(s.topic.Name), kgo.ShareMaxRecords(20), kgo.FetchMaxWait(300*time.Millisecond),
			kgo.Dialer(line.dial), kgo.ShareAckCallback(func(_ *kgo.Client, results kgo.ShareAckResults) {
				mu.Lock()
				defer mu.Unlock()
				for _, r := range results {
					if r.Err != nil {
						failed[history.Place{Topic: r.Topic, Partition: r.Partition}] = true
					}
				}
			}))
		life, cancel := context.WithTimeout(a.ctx, time.Duration(3+a.rng.IntN(30))*time.Second)
		for before, now := a.rec.Now(), a.rec.Now(); life.Err() == nil; before, now = now, a.rec.Now() {
			short, cancel := context.WithTimeout(life, time.Second)
			fetches := c.PollFetches(short)
			cancel()
			ops := a.acquired(fetches, before, c)
			err := c.FlushAcks(life)
			mu.Lock()
			for _, op := range ops {
				if err != nil || failed[history.Place{Topic: op.Topic, Partition: op.Partition}] {
					a.end(op, unsure{errors.New("an acknowledgement failed")})
				} else {
					a.end(op, nil)
				}
				s.settle(op)
			}
			clear(failed)
			mu.Unlock()
			a.pause(a.Mix.Pace)
		}
		cancel()
		if a.chance(3) {
			line.die()
		}
		c.Close()
		a.pause(time.Second)
	}
}

// settle notes what may be done with.
func (s *sharers) settle(op *history.Op) {
	if op.Ack == history.Release {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := history.Place{Topic: op.Topic, Partition: op.Partition}
	if s.seen[at] == nil {
		s.seen[at] = make(map[int64]bool)
	}
	for _, r := range op.Records {
		s.seen[at][r.Offset] = true
	}
}

// acquired notes what the member was given, decides about each record, and returns what it
// is about to acknowledge.
func (a *actor) acquired(fetches kgo.Fetches, since int64, c *kgo.Client) (acks []*history.Op) {
	id, _ := c.GroupMetadata()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		op := a.blank(history.ShareAcquire, history.Place{Topic: p.Topic, Partition: p.Partition})
		op.Group, op.Member, op.Outcome = sharing, id, history.OK
		byAck := map[history.Ack][]history.Read{}
		for _, r := range p.Records {
			read := history.Read{Offset: r.Offset, Value: identify(r)}
			op.Records, op.Deliveries = append(op.Records, read), append(op.Deliveries, int16(r.DeliveryCount()))
			ack := history.Accept
			switch {
			case read.Value.Seq()%10 == 7:
				ack = history.Reject
				r.Ack(kgo.AckReject)
			case a.chance(6) && r.DeliveryCount() < 3:
				ack = history.Release
				r.Ack(kgo.AckRelease)
			default:
				r.Ack(kgo.AckAccept)
			}
			byAck[ack] = append(byAck[ack], read)
		}
		op.Invoke, op.Return = since, a.rec.Now()
		a.rec.Add(op)
		for _, ack := range []history.Ack{history.Accept, history.Release, history.Reject} {
			if len(byAck[ack]) == 0 {
				continue
			}
			op := a.blank(history.ShareAck, history.Place{Topic: p.Topic, Partition: p.Partition})
			op.Group, op.Member, op.Ack, op.Records = sharing, id, ack, byAck[ack]
			acks = append(acks, a.rec.Begin(op))
		}
	})
	return acks
}
