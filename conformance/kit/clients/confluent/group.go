package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

// member polls as one of the scenario's group until it leaves.
type member struct {
	*kafka.Consumer
	stop atomic.Bool
	done chan struct{}
}

func join(ctx context.Context, t *scenario.T, more ...string) *member {
	more = append([]string{"heartbeat.interval.ms", "200", "session.timeout.ms", "6000", "partition.assignment.strategy", "range"}, more...)
	m := &member{Consumer: consumer(ctx, t, more...), done: make(chan struct{})}
	t.OK(m.Subscribe(t.Topic, nil), "subscribe")
	go func() {
		defer close(m.done)
		for !m.stop.Load() && ctx.Err() == nil {
			m.Poll(100)
		}
	}()
	return m
}

func (m *member) leave() {
	m.stop.Store(true)
	<-m.done
	m.Close()
}

// await waits until the group is stable with so many members, and returns it with how
// many partitions each member has.
func await(ctx context.Context, t *scenario.T, a *kafka.AdminClient, members int) (kafka.ConsumerGroupDescription, []int) {
	for {
		r, err := a.DescribeConsumerGroups(ctx, []string{t.Topic})
		if err == nil {
			g := r.ConsumerGroupDescriptions[0]
			if g.State == kafka.ConsumerGroupStateStable && len(g.Members) == members {
				var counts []int
				for _, m := range g.Members {
					counts = append(counts, len(m.Assignment.TopicPartitions))
				}
				return g, counts
			}
		}
		select {
		case <-ctx.Done():
			t.Fatal("the group has not %d members: %v", members, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func group(ctx context.Context, t *scenario.T) {
	create(ctx, t, 4, nil)
	a := admin(ctx, t)
	for _, strategy := range []string{"range", "cooperative-sticky"} {
		one, two := join(ctx, t, "partition.assignment.strategy", strategy), join(ctx, t, "partition.assignment.strategy", strategy)
		g, counts := await(ctx, t, a, 2)
		for fmt.Sprint(counts) != "[2 2]" { // a cooperative group needs a second round
			g, counts = await(ctx, t, a, 2)
		}
		t.Observe("protocol of "+strategy, g.PartitionAssignor)
		two.leave()
		for fmt.Sprint(counts) != "[4]" {
			_, counts = await(ctx, t, a, 1)
		}
		two = join(ctx, t, "partition.assignment.strategy", strategy)
		for fmt.Sprint(counts) != "[2 2]" {
			_, counts = await(ctx, t, a, 2)
		}
		one.leave()
		two.leave()
		r, err := a.DescribeConsumerGroups(ctx, []string{t.Topic})
		t.OK(err, "describe")
		t.Observe("state at the end of "+strategy, r.ConsumerGroupDescriptions[0].State.String())
	}
}

func static(ctx context.Context, t *scenario.T) {
	create(ctx, t, 4, nil)
	a := admin(ctx, t)
	one, two := join(ctx, t, "group.instance.id", "one"), join(ctx, t, "group.instance.id", "two")
	before, counts := await(ctx, t, a, 2)
	t.Want("two members", counts, []int{2, 2})
	two.leave() // a static member does not tell the group
	await(ctx, t, a, 2)
	two = join(ctx, t, "group.instance.id", "two")
	find := func(g kafka.ConsumerGroupDescription) (id, partitions string) {
		for _, m := range g.Members {
			if m.GroupInstanceID == "two" {
				for _, p := range m.Assignment.TopicPartitions {
					partitions += fmt.Sprint(p.Partition, " ")
				}
				return m.ConsumerID, partitions
			}
		}
		t.Fatal("the static member is gone")
		return "", ""
	}
	id, partitions := find(before)
	for again := id; again == id; {
		g, _ := await(ctx, t, a, 2)
		var now string
		if again, now = find(g); again != id {
			t.Want("same partitions", now, partitions)
		}
	}
	one.leave()
	two.leave()
}
