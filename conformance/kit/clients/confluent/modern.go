package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

// joinServer adds a member whose partitions the server assigns (KIP-848).
func joinServer(ctx context.Context, t *scenario.T, more ...string) *member {
	return joinServerTo(ctx, t, t.Topic, more...)
}

func joinServerTo(ctx context.Context, t *scenario.T, topic string, more ...string) *member {
	more = append([]string{"group.protocol", "consumer", "topic.metadata.refresh.interval.ms", "500"}, more...)
	m := &member{Consumer: consumer(ctx, t, more...), done: make(chan struct{})}
	t.OK(m.Subscribe(topic, nil), "subscribe")
	go func() {
		defer close(m.done)
		for !m.stop.Load() && ctx.Err() == nil {
			m.Poll(100)
		}
	}()
	return m
}

// awaitEach waits until the group is stable and its members have so many partitions each.
func awaitEach(ctx context.Context, t *scenario.T, a *kafka.AdminClient, want ...int) kafka.ConsumerGroupDescription {
	var last kafka.ConsumerGroupDescription
	for {
		r, err := a.DescribeConsumerGroups(ctx, []string{t.Topic})
		if err == nil {
			last = r.ConsumerGroupDescriptions[0]
			var counts []int
			for _, m := range last.Members {
				counts = append(counts, len(m.Assignment.TopicPartitions))
			}
			slices.Sort(counts)
			if last.State == kafka.ConsumerGroupStateStable && slices.Equal(counts, want) {
				return last
			}
		}
		select {
		case <-ctx.Done():
			t.Fatal("want members with %v: %v %v", want, last, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// kind is the group's type and state.
func kind(ctx context.Context, t *scenario.T, a *kafka.AdminClient) string {
	r, err := a.ListConsumerGroups(ctx)
	t.OK(err, "list groups")
	for _, g := range r.Valid {
		if g.GroupID == t.Topic {
			return strings.ToLower(fmt.Sprint(g.Type, " ", g.State))
		}
	}
	return "none"
}

func modern(ctx context.Context, t *scenario.T) {
	create(ctx, t, 4, nil)
	a := admin(ctx, t)
	one, two := joinServer(ctx, t), joinServer(ctx, t)
	g := awaitEach(ctx, t, a, 2, 2)
	t.Observe("assignor", g.PartitionAssignor)
	t.Observe("kind", kind(ctx, t, a))
	two.leave()
	awaitEach(ctx, t, a, 4)
	two = joinServer(ctx, t, "group.remote.assignor", "range")
	g = awaitEach(ctx, t, a, 2, 2)
	t.Observe("assignor of a vote", g.PartitionAssignor)
	rs, err := a.CreatePartitions(ctx, []kafka.PartitionsSpecification{{Topic: t.Topic, IncreaseTo: 6}})
	t.OK(err, "add partitions")
	t.Want("add partitions", rs[0].Error.Code(), kafka.ErrNoError)
	awaitEach(ctx, t, a, 3, 3)
	one.leave()
	two.leave()
	t.Eventually(ctx, "at the end", func() any { return kind(ctx, t, a) }, "consumer empty")
}

func instance(ctx context.Context, t *scenario.T) {
	create(ctx, t, 4, nil)
	a := admin(ctx, t)
	one, two := joinServer(ctx, t, "group.instance.id", "one"), joinServer(ctx, t, "group.instance.id", "two")
	find := func(g kafka.ConsumerGroupDescription) (id, partitions string) {
		for _, m := range g.Members {
			if m.GroupInstanceID == "two" {
				var ps []int32
				for _, p := range m.Assignment.TopicPartitions {
					ps = append(ps, p.Partition)
				}
				slices.Sort(ps)
				return m.ConsumerID, fmt.Sprint(ps)
			}
		}
		return "", ""
	}
	id, partitions := find(awaitEach(ctx, t, a, 2, 2))
	two.leave() // a static member goes for a while only
	two = joinServer(ctx, t, "group.instance.id", "two")
	again, now := id, ""
	for again == id {
		again, now = find(awaitEach(ctx, t, a, 2, 2))
	}
	t.Want("same partitions", now, partitions)
	one.leave()
	two.leave()
}

func pattern(ctx context.Context, t *scenario.T) {
	create(ctx, t, 2, nil)
	name := t.Topic
	t.Topic = name + ".more"
	create(ctx, t, 3, nil)
	t.Topic = name + ".99"
	create(ctx, t, 3, nil)
	t.Topic = name
	a := admin(ctx, t)
	m := joinServerTo(ctx, t, "^"+name+`(\.[a-z]+)?$`)
	awaitEach(ctx, t, a, 5)
	m.leave()
}

// migration takes a group that runs from the classic protocol to the new one and back:
// members of both kinds are in it together (KIP-848).
func migration(ctx context.Context, t *scenario.T) {
	create(ctx, t, 4, nil)
	a := admin(ctx, t)
	one, two := join(ctx, t), join(ctx, t)
	awaitEach(ctx, t, a, 2, 2)
	t.Want("at first", kind(ctx, t, a), "classic stable")
	three := joinServer(ctx, t)
	awaitEach(ctx, t, a, 1, 1, 2)
	t.Want("mixed", kind(ctx, t, a), "consumer stable")
	one.leave()
	awaitEach(ctx, t, a, 2, 2)
	two.leave()
	awaitEach(ctx, t, a, 4)
	one = join(ctx, t)
	awaitEach(ctx, t, a, 2, 2)
	t.Want("with an old one again", kind(ctx, t, a), "consumer stable")
	three.leave()
	awaitEach(ctx, t, a, 4)
	t.Eventually(ctx, "in the end", func() any { return kind(ctx, t, a) }, "classic stable")
	one.leave()
}
