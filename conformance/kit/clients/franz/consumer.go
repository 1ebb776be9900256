package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// joinServer adds a member whose partitions the server assigns (KIP-848).
func joinServer(ctx context.Context, t *scenario.T, opts ...kgo.Opt) *member {
	return join(ctx, t, append([]kgo.Opt{kgo.ServerSideBalancer()}, opts...)...)
}

// awaitServer waits until the group is stable and its members have so many partitions
// each, and returns it.
func awaitServer(ctx context.Context, t *scenario.T, a *kadm.Client, want ...int) kadm.DescribedConsumerGroup {
	for {
		gs, err := a.DescribeConsumerGroups(ctx, t.Topic)
		g := gs[t.Topic]
		if err == nil && g.Err == nil && g.State == "Stable" && slices.Equal(partitionsEach(g), want) {
			return g
		}
		select {
		case <-ctx.Done():
			t.Fatal("the group is %s with %v, want %v: %v", g.State, partitionsEach(g), want, errors.Join(err, g.Err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func partitionsEach(g kadm.DescribedConsumerGroup) (counts []int) {
	for _, m := range g.Members {
		n := 0
		for _, ps := range m.Assignment {
			n += len(ps)
		}
		counts = append(counts, n)
	}
	slices.Sort(counts)
	return counts
}

// kind is the group's type and state, as listed.
func kind(ctx context.Context, t *scenario.T) string {
	r, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, client(ctx, t))
	t.OK(err, "list groups")
	for _, g := range r.Groups {
		if g.Group == t.Topic {
			return strings.ToLower(g.GroupType + " " + g.ProtocolType + " " + g.GroupState)
		}
	}
	return "none"
}

func consumer(ctx context.Context, t *scenario.T) {
	create(ctx, t, 4, nil)
	a := admin(ctx, t)
	one, two := joinServer(ctx, t), joinServer(ctx, t)
	g := awaitServer(ctx, t, a, 2, 2)
	t.Observe("assignor", g.AssignorName)
	t.Observe("kind", kind(ctx, t))
	two.leave()
	awaitServer(ctx, t, a, 4)
	two = joinServer(ctx, t)
	g = awaitServer(ctx, t, a, 2, 2)
	t.Want("epochs", g.Epoch, g.AssignmentEpoch)
	_, err := a.UpdatePartitions(ctx, 6, t.Topic)
	t.OK(err, "add partitions")
	awaitServer(ctx, t, a, 3, 3)
	one.leave()
	two.leave()
	t.Eventually(ctx, "at the end", func() any { return kind(ctx, t) }, "consumer consumer empty")
	_, err = a.DeleteGroup(ctx, t.Topic)
	t.OK(err, "delete")
	t.Want("deleted", kind(ctx, t), "none")
}

func instance(ctx context.Context, t *scenario.T) {
	create(ctx, t, 4, nil)
	a := admin(ctx, t)
	one, two := joinServer(ctx, t, kgo.InstanceID("one")), joinServer(ctx, t, kgo.InstanceID("two"))
	has := func(g kadm.DescribedConsumerGroup) (string, string) {
		for _, m := range g.Members {
			if m.InstanceID != nil && *m.InstanceID == "two" {
				return m.MemberID, fmt.Sprint(m.Assignment.Sorted(), m.MemberEpoch >= 0)
			}
		}
		return "", ""
	}
	before := awaitServer(ctx, t, a, 2, 2)
	id, owned := has(before)
	two.leave()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest() // franz-go leaves its instance id out, so that its leave is refused
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = t.Topic, id, -2, kmsg.StringPtr("two")
	resp, err := req.RequestWith(ctx, client(ctx, t))
	t.OK(err, "leave for a while")
	t.Want("leave for a while", resp.ErrorCode, 0)
	gs, err := a.DescribeConsumerGroups(ctx, t.Topic)
	t.OK(err, "describe")
	for _, m := range gs[t.Topic].Members {
		if m.InstanceID != nil && *m.InstanceID == "two" {
			t.Want("epoch of one that is away", m.MemberEpoch, -2)
		}
	}
	two = joinServer(ctx, t, kgo.InstanceID("two"))
	var again, now string
	for again = id; again == id || again == ""; {
		again, now = has(awaitServer(ctx, t, a, 2, 2))
	}
	t.Want("same partitions", now, owned)
	t.Want("nobody rebalanced", awaitServer(ctx, t, a, 2, 2).AssignmentEpoch, before.AssignmentEpoch)
	one.leave()
	two.leave()
}

// byPattern adds a member of a group that subscribes to a regular expression, which the
// server resolves.
func byPattern(ctx context.Context, t *scenario.T, group, pattern string) *member {
	return join(ctx, t, kgo.ServerSideBalancer(), kgo.ConsumerGroup(group), kgo.ConsumeRegex(), kgo.ConsumeTopics(pattern))
}

func pattern(ctx context.Context, t *scenario.T) {
	create(ctx, t, 2, nil)
	a := admin(ctx, t)
	r, err := a.CreateTopics(ctx, 3, int16(t.Copies), nil, t.Topic+".more", t.Topic+".99")
	t.OK(errors.Join(err, r.Error()), "create more topics")
	t.Eventually(ctx, "partitions", func() any {
		m, err := a.ListTopics(ctx, t.Topic+".more", t.Topic+".99")
		t.OK(err, "describe")
		return len(m[t.Topic+".more"].Partitions) + len(m[t.Topic+".99"].Partitions)
	}, 6)
	m := byPattern(ctx, t, t.Topic, "^"+t.Topic+`(\.[a-z]+)?$`)
	g := awaitServer(ctx, t, a, 5)
	t.Observe("regex", *g.Members[0].SubscribedTopicRegex)
	t.Observe("topics", fmt.Sprint(g.Members[0].Assignment.Sorted()))
	m.leave()
	t.Eventually(ctx, "at the end", func() any { return kind(ctx, t) }, "consumer consumer empty")
}

// migration takes a group that runs from the classic protocol to the new one and back:
// members of both kinds are in it together (KIP-848).
func migration(ctx context.Context, t *scenario.T) {
	create(ctx, t, 4, nil)
	a := admin(ctx, t)
	one, two := join(ctx, t), join(ctx, t)
	await(ctx, t, a, 2)
	t.Want("at first", kind(ctx, t), "classic consumer stable")
	three := joinServer(ctx, t)
	g := awaitServer(ctx, t, a, 1, 1, 2)
	t.Observe("mixed", fmt.Sprint(kind(ctx, t), g.AssignorName))
	one.leave()
	awaitServer(ctx, t, a, 2, 2)
	t.Want("still", kind(ctx, t), "consumer consumer stable")
	two.leave()
	awaitServer(ctx, t, a, 4)
	one = join(ctx, t)
	awaitServer(ctx, t, a, 2, 2)
	t.Want("with an old one again", kind(ctx, t), "consumer consumer stable")
	three.leave()
	_, counts := await(ctx, t, a, 1)
	for counts[0] != 4 { // what it had goes over in a second round
		_, counts = await(ctx, t, a, 1)
	}
	t.Want("in the end", kind(ctx, t), "classic consumer stable")
	one.leave()
}
