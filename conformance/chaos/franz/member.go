package main

import (
	"context"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// protocol are the options of a group's way to divide its partitions.
func (j job) protocol() []kgo.Opt {
	if j.Proto == "consumer" {
		return []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer())}
	}
	return []kgo.Opt{kgo.Balancers(kgo.CooperativeStickyBalancer())}
}

func (j job) rules() history.Rules {
	if j.Proto == "consumer" {
		return history.Consumer
	}
	return history.Cooperative
}

// member is one client in a group, which commits what it has polled. Partitions come and
// go between two polls alone, so that what it does with them is done when it gives them up.
type member struct {
	job
	out     *log
	process int32
	poll    *poller
	asked   int64 // when it was last assigned something: what it asks about it leaves later
}

// join is a member until ctx ends; every minute or so it leaves, and another one joins.
func join(ctx context.Context, j job, out *log) error {
	for life := 0; ctx.Err() == nil; life++ {
		stay, cancel := context.WithTimeout(ctx, j.Stay)
		err := (&member{job: j, out: out}).live(stay)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *member) live(ctx context.Context) error {
	m.process = m.out.next()
	m.poll = newPoller(m.job, m.out, m.process)
	var names []string
	for _, t := range m.topics {
		names = append(names, t.name)
	}
	opts := m.options(
		kgo.ConsumerGroup(m.Group), kgo.ConsumeTopics(names...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), m.isolation(),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(500*time.Millisecond),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond), kgo.RebalanceTimeout(10*time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, c *kgo.Client, ps map[string][]int32) { m.moved(history.Assign, c, ps) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, c *kgo.Client, ps map[string][]int32) { m.moved(history.Revoke, c, ps) }),
		kgo.OnPartitionsLost(func(_ context.Context, c *kgo.Client, ps map[string][]int32) { m.moved(history.Lost, c, ps) }),
		kgo.OnOffsetsFetched(m.fetched))
	client, err := kgo.NewClient(append(opts, m.protocol()...)...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	for ctx.Err() == nil {
		fs := client.PollFetches(ctx)
		if m.poll.tell(fs) > 0 {
			m.commit(ctx, client)
		}
		client.AllowRebalance()
		wait(ctx, m.Pace)
	}
	return nil
}

// moved tells of partitions that came or went.
func (m *member) moved(kind history.Kind, c *kgo.Client, ps map[string][]int32) {
	o := op(kind, m.process, "", 0)
	o.Group, o.Rules = m.Group, m.rules()
	o.Member, o.Generation = c.GroupMetadata()
	for topic, partitions := range ps {
		for _, p := range partitions {
			o.Places = append(o.Places, history.Place{Topic: topic, Partition: p})
		}
	}
	m.asked = m.out.Now()
	if len(o.Places) > 0 {
		m.out.Note(o)
	}
}

// fetched tells of the offsets from which the member goes on.
func (m *member) fetched(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	tell := func(topic string, p int32, code int16, offset int64) {
		o := op(history.FetchOffset, m.process, topic, p)
		o.Group, o.RequireStable, o.Invoke, o.Return = m.Group, true, m.asked, m.out.Now()
		outcome(&o, kerr.ErrorForCode(code))
		if offset >= 0 {
			o.Offset = offset
		}
		m.out.Add(o)
	}
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				tell(t.Topic, p.Partition, p.ErrorCode, p.Offset)
			}
		}
	}
	return nil
}

// commit commits all that was polled.
func (m *member) commit(ctx context.Context, c *kgo.Client) {
	began := make(map[history.Place]*history.Op)
	id, generation := c.GroupMetadata()
	offsets := c.UncommittedOffsets()
	for topic, partitions := range offsets {
		for p, at := range partitions {
			o := op(history.CommitOffset, m.process, topic, p)
			o.Group, o.Member, o.Generation, o.Offset = m.Group, id, generation, at.Offset
			began[history.Place{Topic: topic, Partition: p}] = m.out.Begin(o)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 8*time.Second)
	defer cancel()
	c.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			m.out.complain("commit: " + err.Error())
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				at := history.Place{Topic: t.Topic, Partition: p.Partition}
				if o := began[at]; o != nil {
					delete(began, at)
					outcome(o, kerr.ErrorForCode(p.ErrorCode))
					m.out.End(o, o.Outcome)
				}
			}
		}
	})
	for _, o := range began {
		m.out.End(o, history.Info)
	}
}
