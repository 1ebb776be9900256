package main

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/twmb/franz-go/pkg/kadm"
)

// member is a kcat that consumes as one of the scenario's group.
type member struct {
	cmd   *exec.Cmd
	lines chan string
	done  chan struct{}
}

func join(ctx context.Context, t *scenario.T, args ...string) *member {
	args = append([]string{
		"-b", t.Bootstrap, "-G", t.Topic, "-u", "-q", "-f", "%o\n", "-X", "auto.offset.reset=earliest", "-X", "heartbeat.interval.ms=200",
		"-X", "session.timeout.ms=6000", "-X", "partition.assignment.strategy=range",
	}, args...)
	m := &member{exec.CommandContext(ctx, "kcat", append(args, t.Topic)...), make(chan string, 1000), make(chan struct{})}
	out, err := m.cmd.StdoutPipe()
	t.OK(err, "pipe")
	t.OK(m.cmd.Start(), "start kcat")
	go func() {
		defer close(m.done)
		defer close(m.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			m.lines <- s.Text()
		}
		m.cmd.Wait()
	}()
	return m
}

// leave stops kcat as Ctrl-C would, so that it leaves the group.
func (m *member) leave() {
	m.cmd.Process.Signal(syscall.SIGINT)
	<-m.done
}

func await(ctx context.Context, t *scenario.T, a *kadm.Client, members int) (kadm.DescribedGroup, []int) {
	for {
		gs, err := a.DescribeGroups(ctx, t.Topic)
		g := gs[t.Topic]
		if err == nil && g.State == "Stable" && len(g.Members) == members {
			var counts []int
			for _, m := range g.Members {
				counts = append(counts, len(owned(m)))
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

func owned(m kadm.DescribedGroupMember) (partitions []int32) {
	if as, ok := m.Assigned.AsConsumer(); ok {
		for _, topic := range as.Topics {
			partitions = append(partitions, topic.Partitions...)
		}
	}
	return partitions
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
	one, two := join(ctx, t, "-X", "group.instance.id=one"), join(ctx, t, "-X", "group.instance.id=two")
	before, counts := await(ctx, t, a, 2)
	t.Want("two members", counts, []int{2, 2})
	two.leave() // a static member does not tell the group
	await(ctx, t, a, 2)
	two = join(ctx, t, "-X", "group.instance.id=two")
	find := func(g kadm.DescribedGroup) (id, partitions string) {
		for _, m := range g.Members {
			if m.InstanceID != nil && *m.InstanceID == "two" {
				return m.MemberID, fmt.Sprint(owned(m))
			}
		}
		t.Fatal("the static member is gone")
		return "", ""
	}
	id, partitions := find(before)
	for again := id; again == id; {
		var g kadm.DescribedGroup
		g, _ = await(ctx, t, a, 2)
		var now string
		if again, now = find(g); again != id {
			t.Want("same partitions", now, partitions)
		}
		if ctx.Err() != nil {
			t.Fatal("the member did not come back")
		}
	}
	one.leave()
	two.leave()
	r, err := a.LeaveGroup(ctx, kadm.LeaveGroup(t.Topic).InstanceIDs("one", "two"))
	t.OK(err, "remove members")
	t.OK(r.Error(), "remove members")
}

func commit(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	produce(ctx, t, numbered(50))
	read := func(n int, args ...string) (last string) {
		m := join(ctx, t, args...)
		for range n { // it ends by itself after so many, and commits
			select {
			case last = <-m.lines:
			case <-ctx.Done():
				t.Fatal("no record came")
			}
		}
		<-m.done
		return last
	}
	t.Want("the tenth", read(10, "-c", "10"), "9")
	os, err := admin(ctx, t).FetchOffsets(ctx, t.Topic)
	t.OK(err, "fetch offsets")
	t.Want("committed", os[t.Topic][0].At, 10)
	t.Want("after commit", strings.TrimSpace(read(1, "-c", "1")), "10")
	t.Note("no seek: kcat's group consumer has none")
}
