package main

import (
	"context"
	"slices"
	"time"

	"github.com/IBM/sarama"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

// await waits until the group is stable with so many members, and returns it with how
// many partitions each member has.
func await(ctx context.Context, t *scenario.T, a sarama.ClusterAdmin, members int) (*sarama.GroupDescription, []int) {
	for {
		gs, err := a.DescribeConsumerGroups([]string{t.Topic})
		if err == nil && gs[0].State == "Stable" && len(gs[0].Members) == members {
			var counts []int
			for _, m := range gs[0].Members {
				counts = append(counts, len(owned(m)))
			}
			return gs[0], counts
		}
		select {
		case <-ctx.Done():
			t.Fatal("the group has not %d members: %v", members, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func owned(m *sarama.GroupMemberDescription) (partitions []int32) {
	if as, err := m.GetMemberAssignment(); err == nil && as != nil {
		for _, ps := range as.Topics {
			partitions = append(partitions, ps...)
		}
	}
	slices.Sort(partitions)
	return partitions
}

func group(ctx context.Context, t *scenario.T) {
	create(ctx, t, 4, nil)
	a := admin(ctx, t)
	one, two := join(ctx, t, "", nil), join(ctx, t, "", nil)
	g, counts := await(ctx, t, a, 2)
	t.Want("two members", counts, []int{2, 2})
	t.Observe("protocol", g.ProtocolType+" "+g.Protocol)
	two.leave()
	_, counts = await(ctx, t, a, 1)
	t.Want("one member", counts, []int{4})
	two = join(ctx, t, "", nil)
	_, counts = await(ctx, t, a, 2)
	t.Want("two members again", counts, []int{2, 2})
	one.leave()
	two.leave()
	gs, err := a.DescribeConsumerGroups([]string{t.Topic})
	t.OK(err, "describe")
	t.Observe("state at the end", gs[0].State)
}

func static(ctx context.Context, t *scenario.T) {
	create(ctx, t, 4, nil)
	a := admin(ctx, t)
	one, two := join(ctx, t, "one", nil), join(ctx, t, "two", nil)
	before, counts := await(ctx, t, a, 2)
	t.Want("two members", counts, []int{2, 2})
	two.leave() // a static member does not tell the group
	g, _ := await(ctx, t, a, 2)
	t.Want("members while one is away", len(g.Members), 2)
	two = join(ctx, t, "two", nil)
	time.Sleep(500 * time.Millisecond) // let its join arrive
	after, counts := await(ctx, t, a, 2)
	t.Want("two members again", counts, []int{2, 2})
	find := func(g *sarama.GroupDescription, id string) *sarama.GroupMemberDescription {
		for _, m := range g.Members {
			if m.GroupInstanceId != nil && *m.GroupInstanceId == id {
				return m
			}
		}
		t.Fatal("no member is %q", id)
		return nil
	}
	t.Want("same partitions", owned(find(after, "two")), owned(find(before, "two")))
	t.Observe("the member id is new", find(before, "two").MemberId != find(after, "two").MemberId)
	one.leave()
	two.leave()
	r, err := a.RemoveMemberFromConsumerGroup(t.Topic, []string{"one", "two", "three"})
	t.OK(err, "remove members")
	var codes []int
	for _, m := range r.Members {
		codes = append(codes, int(m.Err))
	}
	t.Observe("codes of removal", codes)
	gs, err := a.DescribeConsumerGroups([]string{t.Topic})
	t.OK(err, "describe")
	t.Observe("state at the end", gs[0].State)
}
