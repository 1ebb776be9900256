package main

import (
	"context"
	"fmt"
	"time"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// member polls in the background until it is closed.
type member struct {
	*kgo.Client
	done chan struct{}
}

func join(ctx context.Context, t *scenario.T, opts ...kgo.Opt) *member {
	opts = append([]kgo.Opt{
		kgo.ConsumerGroup(t.Topic), kgo.ConsumeTopics(t.Topic),
		kgo.Balancers(kgo.RangeBalancer()), kgo.HeartbeatInterval(200 * time.Millisecond), kgo.SessionTimeout(6 * time.Second),
	}, opts...)
	m := &member{client(ctx, t, opts...), make(chan struct{})}
	go func() {
		defer close(m.done)
		for !m.PollFetches(ctx).IsClientClosed() && ctx.Err() == nil {
		}
	}()
	return m
}

func (m *member) leave() { m.Close(); <-m.done }

// await waits until the group is stable with so many members, and returns it with how
// many partitions each member has.
func await(ctx context.Context, t *scenario.T, a *kadm.Client, members int) (kadm.DescribedGroup, []int) {
	for {
		gs, err := a.DescribeGroups(ctx, t.Topic)
		g := gs[t.Topic]
		if err == nil && g.State == "Stable" && len(g.Members) == members {
			var counts []int
			for _, m := range g.Members {
				n := 0
				if as, ok := m.Assigned.AsConsumer(); ok {
					for _, topic := range as.Topics {
						n += len(topic.Partitions)
					}
				}
				counts = append(counts, n)
			}
			return g, counts
		}
		select {
		case <-ctx.Done():
			t.Fatal("the group is %s with %d members, want %d: %v", g.State, len(g.Members), members, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func group(ctx context.Context, t *scenario.T) {
	create(ctx, t, 4, nil)
	a := admin(ctx, t)
	one, two := join(ctx, t), join(ctx, t)
	g, counts := await(ctx, t, a, 2)
	t.Want("two members", counts, []int{2, 2})
	t.Observe("protocol", g.ProtocolType+" "+g.Protocol)
	two.leave()
	_, counts = await(ctx, t, a, 1)
	t.Want("one member", counts, []int{4})
	two = join(ctx, t)
	_, counts = await(ctx, t, a, 2)
	t.Want("two members again", counts, []int{2, 2})
	one.leave()
	two.leave()
	gs, err := a.DescribeGroups(ctx, t.Topic)
	t.OK(err, "describe")
	t.Observe("state at the end", gs[t.Topic].State)
}

func static(ctx context.Context, t *scenario.T) {
	create(ctx, t, 4, nil)
	a := admin(ctx, t)
	one := join(ctx, t, kgo.InstanceID("one"))
	two := join(ctx, t, kgo.InstanceID("two"))
	before, counts := await(ctx, t, a, 2)
	t.Want("two members", counts, []int{2, 2})
	two.leave() // a static member does not tell the group
	g, _ := await(ctx, t, a, 2)
	t.Want("members while one is away", len(g.Members), 2)
	two = join(ctx, t, kgo.InstanceID("two"))
	time.Sleep(500 * time.Millisecond) // let its join arrive
	after, counts := await(ctx, t, a, 2)
	t.Want("two members again", counts, []int{2, 2})
	has := func(g kadm.DescribedGroup, id string) (string, string) {
		for _, m := range g.Members {
			if m.InstanceID != nil && *m.InstanceID == id {
				as, _ := m.Assigned.AsConsumer()
				return m.MemberID, printed(as.Topics)
			}
		}
		return "", ""
	}
	id1, owned1 := has(before, "two")
	id2, owned2 := has(after, "two")
	t.Want("same partitions", owned2, owned1)
	t.Observe("the member id is new", id1 != id2)
	one.leave()
	two.leave()
	r, err := a.LeaveGroup(ctx, kadm.LeaveGroup(t.Topic).InstanceIDs("one", "two"))
	t.OK(err, "remove members")
	t.OK(r.Error(), "remove members")
	gs, err := a.DescribeGroups(ctx, t.Topic)
	t.OK(err, "describe")
	t.Observe("state at the end", gs[t.Topic].State)
}

func printed(v any) string { return fmt.Sprintf("%v", v) }
