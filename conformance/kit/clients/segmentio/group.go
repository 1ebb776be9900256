package main

import (
	"context"
	"time"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/segmentio/kafka-go"
)

// member reads as one of the scenario's group.
func member(t *scenario.T) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: t.Seeds(), GroupID: t.Topic, Topic: t.Topic, StartOffset: kafka.FirstOffset,
		HeartbeatInterval: 200 * time.Millisecond, SessionTimeout: 6 * time.Second, RebalanceTimeout: 6 * time.Second,
		JoinGroupBackoff: 100 * time.Millisecond, MaxWait: 100 * time.Millisecond, GroupBalancers: []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
	})
}

// await waits until the group is stable with so many members, and returns how many
// partitions each has.
func await(ctx context.Context, t *scenario.T, members int) []int {
	for {
		r, err := client(t).DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{t.Topic}})
		if err == nil && r.Groups[0].GroupState == "Stable" && len(r.Groups[0].Members) == members {
			var counts []int
			for _, m := range r.Groups[0].Members {
				n := 0
				for _, topic := range m.MemberAssignments.Topics {
					n += len(topic.Partitions)
				}
				counts = append(counts, n)
			}
			return counts
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
	one, two := member(t), member(t)
	t.Want("two members", await(ctx, t, 2), []int{2, 2})
	t.OK(two.Close(), "close")
	t.Want("one member", await(ctx, t, 1), []int{4})
	two = member(t)
	t.Want("two members again", await(ctx, t, 2), []int{2, 2})
	t.OK(one.Close(), "close")
	t.OK(two.Close(), "close")
	r, err := client(t).DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{t.Topic}})
	t.OK(err, "describe")
	t.Observe("state at the end", r.Groups[0].GroupState)
}
